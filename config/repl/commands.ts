import { audit } from "./audit";
import { argumentsOf, Mistake, nearest, wordsOf, type Command } from "./command";
import { drain } from "./drain";
import { paintFor, safe } from "./format";
import { health } from "./health";
import { kick } from "./kick";
import { msg } from "./msg";
import type { Operator } from "./operator";
import { retention } from "./retention";
import { room } from "./room";
import { sessions } from "./sessions";
import { slow } from "./slow";
import { who } from "./who";

/** What operators can ask. The names do not hide those that moleculer-repl has. */
export const COMMANDS: readonly Command[] = [health, who, room, msg, sessions, kick, drain, slow, retention, audit];

export interface Output {
  text: string;
  /** False: there is no such thing, nobody answered, or something is wrong. */
  ok: boolean;
}

/** Runs one command and gives what is to be printed; with `--json` one JSON document, also for a failure. Never rejects. */
export async function runCommand(operator: Operator, words: readonly string[], coloured: boolean): Promise<Output> {
  const paint = paintFor(coloured);
  try {
    const [name, ...rest] = words;
    const command = COMMANDS.find(one => one.name === name);
    if (!command) throw new Mistake(`there is no command "${name ?? ""}"; ${meant(name ?? "")}`);
    const { json, ...args } = argumentsOf(command, rest);
    const { data, ok, text } = await command.run(operator, args);
    return { ok, text: json ? JSON.stringify(data, null, 2) : safe(text(paint)) };
  } catch (error) {
    // A defect is shown whole: operators report it.
    const { message, stack } = error as Error;
    const told = error instanceof Mistake ? message : String(stack ?? error);
    const text = words.includes("--json") ? JSON.stringify({ error: told }) : safe(paint.red(told));
    return { ok: false, text };
  }
}

function meant(word: string): string {
  const names = COMMANDS.map(({ name }) => name);
  const near = nearest(word, names);
  return near.length > 0 ? `did you mean ${near.join(" or ")}?` : `there is ${names.join(", ")}`;
}

/** `room "Team lunch" --json`, given as one word or as several. */
export const commandLine = (argv: readonly string[]): string[] => {
  const [first = "", ...rest] = argv;
  return [...wordsOf(first), ...rest];
};

/** Every command with what it takes and does. */
export function usage(): string {
  const rows = COMMANDS.flatMap(({ name, takes, description, options }) => [
    `  ${`${name} ${takes}`.padEnd(20)} ${description}`,
    ...Object.entries(options).map(([option, { short, type, meaning }]) => {
      const flag = `${short ? `-${short}, ` : ""}--${option}${type === "string" ? " N" : ""}`;
      return `  ${"".padEnd(20)}   ${flag.padEnd(14)} ${meaning}`;
    }),
  ]);
  return `${rows.join("\n")}\n  ${"".padEnd(20)} every command: --json for one JSON document`;
}
