import { parseArgs } from "node:util";
import type { Operator } from "./operator";
import type { Paint } from "./format";

/** What the operator gave that leads nowhere: told in one line. */
export class Mistake extends Error {
  override readonly name = "Mistake";
}

interface Option {
  type: "boolean" | "string";
  short?: string;
  meaning: string;
}

export interface Args {
  /** What stands after the command's name. */
  given: string[];
  options: Record<string, string | boolean | undefined>;
}

/** What a command found: plain data for scripts, words for people. */
export interface Report {
  data: unknown;
  /** False where something is wrong that a script should notice. */
  ok: boolean;
  text(paint: Paint): string;
}

export interface Command {
  name: string;
  /** After the name: `<needed>` and `[optional]` words. */
  takes: string;
  description: string;
  options: Record<string, Option>;
  run(operator: Operator, args: Args): Promise<Report>;
}

interface Spec<Found> {
  name: string;
  takes?: string;
  description: string;
  options?: Record<string, Option>;
  /** Asks the cluster. Throws Mistake for what is not there. What it gives is the JSON document. */
  ask(operator: Operator, args: Args): Promise<Found>;
  show(found: Found, paint: Paint): string;
  /** Default: always. */
  ok?(found: Found): boolean;
}

/** A command from its two halves: what it asks, and how the answer looks. */
export function command<Found>({ ask, show, ok, takes = "", options = {}, ...about }: Spec<Found>): Command {
  return {
    ...about,
    takes,
    options,
    async run(operator, args) {
      const data = await ask(operator, args);
      return { data, ok: ok?.(data) ?? true, text: paint => show(data, paint) };
    },
  };
}

export const JSON_OPTION: Option = { type: "boolean", meaning: "one JSON document instead of text" };

/** Takes apart what stands after a command's name. Throws Mistake with the usage where it does not fit. */
export function argumentsOf({ name, takes, options }: Command, words: readonly string[]): Args & { json: boolean } {
  const usage = `usage: ${name} ${takes}`.trimEnd();
  const names = takes.split(" ").filter(Boolean);
  const config = Object.fromEntries(
    Object.entries({ ...options, json: JSON_OPTION }).map(([key, { meaning: _, ...option }]) => [key, option]),
  );
  try {
    const args = withNumbers(words, { ...options, json: JSON_OPTION });
    const { positionals: given, values } = parseArgs({ args, options: config, allowPositionals: true });
    const needed = names.filter(word => word.startsWith("<") || !word.startsWith("[")).length;
    const literal = names.every((word, at) => /^[<[]/.test(word) || given[at] === word);
    if (given.length < needed || given.length > names.length || !literal) throw new Mistake(usage);
    const { json, ...rest } = values as Args["options"];
    return { given, options: rest, json: json === true };
  } catch (error) {
    if (error instanceof Mistake) throw error;
    throw new Mistake(`${(error as Error).message.split(". ")[0]}; ${usage}`);
  }
}

/** `--seconds -3` as `--seconds=-3`: a number below zero is a value like others, refused by who knows why. */
function withNumbers(words: readonly string[], options: Record<string, Option>): string[] {
  const taking = new Map(
    Object.entries(options).flatMap(([name, { type, short }]) =>
      type === "string" ? [`--${name}`, ...(short ? [`-${short}`] : [])].map(flag => [flag, `--${name}`] as const) : [],
    ),
  );
  return words.flatMap((word, at) => {
    const option = taking.get(word);
    if (option !== undefined && isNegative(words[at + 1])) return [`${option}=${words[at + 1]}`];
    return isNegative(word) && taking.has(words[at - 1] ?? "") ? [] : [word];
  });
}

const isNegative = (word: string | undefined): boolean => word !== undefined && /^-[\d.]+$/.test(word);

/** A whole number from an option. Throws Mistake. */
export function wholeOf(value: string | boolean | undefined, fallback: number, most: number): number {
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > most)
    throw new Mistake(`give a whole number from 1 to ${most}, not ${value}`);
  return number;
}

/** The words of a line; quotes keep spaces. */
export const wordsOf = (line: string): string[] =>
  Array.from(line.matchAll(/"([^"]*)"|'([^']*)'|\S+/g), ([word, double, single]) => double ?? single ?? word);

/** Edits of one character that make a word of another, at least. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const changed = (row[j] as number) + (letter === to[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}

/** Those of `names` that somebody may have meant: begun like it, or mistyped by at most two characters; the nearest first. */
export function nearest(word: string, names: readonly string[]): string[] {
  const ranked = names.map(name => ({ name, far: word !== "" && name.startsWith(word) ? 0 : distance(word, name) }));
  return ranked
    .filter(({ name, far }) => far <= Math.min(2, name.length - 2))
    .sort((a, b) => a.far - b.far)
    .map(({ name }) => name);
}
