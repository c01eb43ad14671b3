import type { Body } from "../support/rest";
import type { Device } from "./device";
import type { Fetched, Model } from "./model";
import type { Scene } from "./scene";

export type Random = () => number;

/** Plain data, so that a step can be printed and replayed. */
export type Args = Readonly<Record<string, Body>>;

export const KINDS = ["public", "private", "group", "direct"] as const;
export type Kind = (typeof KINDS)[number];

/** What is known of a history while it is being drawn, before anything of it has happened. */
export interface Plot {
  readonly kind: Kind;
  /** What who comes later sees of what was said before him. */
  readonly history: "all" | "joined";
  readonly people: number;
  /** Whose the device is that the step is for. */
  readonly person: number;
  /** Sends drawn so far; their numbers are 0 to this. A step may name one that was refused: then nothing happens. */
  readonly sends: number;
  /** Steps drawn so far. */
  readonly drawn: readonly { readonly op: string; readonly args: Args }[];
}

/** One request in the words of every wire that has it; where a wire has none it is asked for over REST. */
export interface Call {
  rest: { method: string; path: string; body?: unknown };
  /** Native, and over `/stream`. */
  frame?: Record<string, unknown>;
  /** Method and arguments. */
  hub?: readonly [string, ...unknown[]];
  /** Event and its object. */
  event?: readonly [string, object];
  /** Said again it would happen again: it is not, whatever became of it. */
  once?: boolean;
  /** Who has to wait for it lets it be. */
  hurried?: boolean;
}

/** What a told event does to what a device knows. */
export type Telling = (model: Model, data: Body, offset: number | null) => void;

/** Something people do. A new one is one file here and one line in `operations/index.ts`. */
export interface Operation {
  readonly name: string;
  /** How often it is drawn, against the others. */
  readonly weight: number;
  /** It is a send, and has the next number of them. */
  readonly sends?: true;
  /** What it is this time; null: there is nothing to do it with. Depends on nothing but its arguments. */
  draw(random: Random, plot: Plot): Args | null;
  /** Does it; a refusal is an outcome like another. */
  run(args: Args, device: Device, scene: Scene): Promise<void>;
  /** Kinds of events of a room that come of it. */
  readonly events?: Readonly<Record<string, Telling>>;
  /** Kinds of notes of a user's own feed that come of it. */
  readonly notes?: Readonly<Record<string, Telling>>;
  /** What differs of what is fetched beyond messages, members, settings and marks; only where those are as they must be. */
  compare?(model: Model, fetched: Fetched, scene: Scene, device: Device): string[] | Promise<string[]>;
}
