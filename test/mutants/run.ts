import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { installed, startMongo } from "../../deploy/local/servers";
import type { Mutant } from "./mutant";
import { MUTANTS } from "./mutants";

/**
 * `npx tsx test/mutants/run.ts [word]`: breaks the product in a copy of it, one line at a time, and runs the tests that are
 * to fail. Prints who survived, and ends with 1 if anybody did.
 */
async function main(words: readonly string[]): Promise<number> {
  const chosen = MUTANTS.filter(({ breaks }) => words.every(word => breaks.includes(word)));
  const copy = copyOfProduct();
  const mongo = installed.mongo ? await startMongo() : null;
  const env = { ...process.env, ...(mongo && { MONGO_URL: mongo.url }) };
  let survived = 0;
  try {
    for (const mutant of chosen) {
      const verdict = await tried(mutant, copy, env);
      if (verdict !== "killed") survived++;
      console.log(`${verdict.padEnd(8)} ${mutant.breaks} (${mutant.named})`);
    }
  } finally {
    await mongo?.stop();
    rmSync(copy, { recursive: true, force: true });
  }
  console.log(`${chosen.length - survived} of ${chosen.length} killed`);
  return survived === 0 ? 0 : 1;
}

const LEFT_OUT = /^(node_modules|dist|data|coverage|\.git)(\/|$)/;

function copyOfProduct(): string {
  const root = resolve(__dirname, "..", "..");
  const copy = mkdtempSync(join(tmpdir(), "rookery-mutants-"));
  cpSync(root, copy, { recursive: true, filter: path => !LEFT_OUT.test(relative(root, path)) });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** `odd`: the text to break is not there once, or no test has the name. */
async function tried({ file, from, to, test, named }: Mutant, copy: string, env: NodeJS.ProcessEnv): Promise<string> {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) return "odd";
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  try {
    const report = join(copy, "report.json");
    const args = ["node_modules/jest/bin/jest.js", test, "-t", named, "--bail", "--json", "--outputFile", report];
    await ended(args, copy, env);
    const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, "utf8")) as Record<string, number>;
    if (numFailedTests) return "killed";
    return numPassedTests ? "SURVIVED" : "odd";
  } finally {
    writeFileSync(path, text);
  }
}

function ended(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, args, { cwd, env, stdio: "ignore" });
    child.on("error", reject).on("close", () => done());
  });
}

void main(process.argv.slice(2)).then(code => (process.exitCode = code));
