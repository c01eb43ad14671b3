import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../temp";
import { RecordedDisk } from "./disk";
import { powerlossLibrary } from "./library";
import { seeded } from "../../chaos/random";

const library = powerlossLibrary();
const describeRecorded = library ? describe : describe.skip;

describeRecorded("what a disk has after a loss of power", () => {
  let disk: RecordedDisk;
  const at = (name: string): string => join(disk.folder, name);
  const text = (name: string): string => readFileSync(at(name), "utf8");

  beforeAll(async () => {
    const root = realpathSync(temporaryFolder());
    disk = new RecordedDisk(join(root, "data"), join(root, "record"));
    mkdirSync(disk.folder);
    for (const name of ["old", "gone", "sectors"])
      writeFileSync(at(name), name === "sectors" ? Buffer.alloc(4_096) : name);
    const program = [join(__dirname, "children", "writer.mjs"), disk.folder];
    const child = spawn(process.execPath, program, {
      env: { ...process.env, ...disk.environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
  });

  /** Every outcome of so many losses. */
  function outcomes(look: () => string, losses = 60): Set<string> {
    const random = seeded(1);
    return new Set(
      Array.from({ length: losses }, () => {
        disk.lose(random);
        return look();
      }),
    );
  }

  test("what was synced is there, whatever became of the rest", () => {
    expect(outcomes(() => text("synced").slice(0, 6))).toEqual(new Set(["first "]));
    expect(outcomes(() => text("deep/moved"))).toEqual(new Set(["moved"]));
    expect(outcomes(() => text("deep/link"))).toEqual(new Set(["linked"]));
    expect(outcomes(() => text("cut"))).toEqual(new Set(["0123"]));
    expect(outcomes(() => text("old").slice(0, 3))).toEqual(new Set(["old"]));
  });

  test("what was not synced may be there, or not, or in part", () => {
    // The size may be on the disk without the bytes.
    const zeros = (text: string): string => "\0".repeat(text.length);
    expect(outcomes(() => text("synced"))).toEqual(new Set(["first ", "first second", `first ${zeros("second")}`]));
    expect(outcomes(() => text("old"))).toEqual(new Set(["old", "old-changed", `old${zeros("-changed")}`]));
    expect(outcomes(() => text("lost"))).toEqual(new Set(["", "never synced", zeros("never synced")]));
  });

  test("a name is durable with its folder, not with its file", () => {
    expect(outcomes(() => String(existsSync(at("gone"))))).toEqual(new Set(["false"]));
    expect(outcomes(() => String(existsSync(at("late"))))).toEqual(new Set(["true", "false"]));
    expect(outcomes(() => readdirSync(at("deep")).join())).toEqual(new Set(["link,moved"]));
  });

  test("writes are torn at sectors, in any order", () => {
    const letters = (): string =>
      Array.from({ length: 8 }, (_, n) => readFileSync(at("sectors")).subarray(n * 512, n * 512 + 512))
        .map(sector => (new Set(sector).size === 1 ? String.fromCharCode(sector[0] || 46) : "torn"))
        .join("");
    const seen = outcomes(letters);
    expect(seen).toContain("........");
    expect(seen).toContain("ABCDEFGH");
    expect(seen.size).toBeGreaterThan(10);
    for (const one of seen) expect(one).toMatch(/^[.A][.B][.C][.D][.E][.F][.G][.H]$/);
  });
});
