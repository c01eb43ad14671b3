import type { Client } from "../support/client";
import type { Body } from "../support/rest";
import { restOf } from "./fetched";
import { Model, type Fetched, type OutOfSight } from "./model";
import { wireOf, type WireName } from "./lines";
import type { Line, Wire } from "./lines/line";
import type { Call } from "./operation";
import { TELLINGS } from "./operations";

/** What a device needs of the history it is in. */
export interface Around {
  readonly url: string;
  /** Where the next native socket connects to. */
  readonly wsUrl: string;
  readonly room: string;
  readonly isDirect: boolean;
  /** Who comes does not see what was said before. */
  readonly cutsBefore: boolean;
  /** How often a person was, or may have been, taken out of the room: not every wire tells. */
  cutsOf(person: number): number;
  /** What a person has asked to have out of his sight, on any device. Grows. */
  outOfSightOf(person: number): OutOfSight;
  /** What is so now; null: it is not for him. Rejects where nobody answers. */
  fetch(client: Client, what: "everything" | "messages"): Promise<Fetched | null>;
}

/** Milliseconds within which something asked for is done, restarts included, and between two attempts. */
const PATIENCE = 60_000;
const PAUSE = 50;

/** One client of one person over one wire: what it does, and what it knows from what it was told. */
export class Device {
  readonly wire: Wire;
  readonly model: Model;
  /** Promises of its wire that were broken. */
  readonly faults: string[] = [];
  away = false;
  /** The room is not for its person, by the last word it had. */
  outside = false;
  private line: Line | null = null;
  private cursor = 0;
  private needsAll = true;
  /** What its user alone is told was missed, and nothing else. */
  private needsOwn = false;
  private isCut = false;
  private cuts = -1;
  private n: number | null = null;
  private epoch: string | null = null;
  private turn: Promise<void> = Promise.resolve();

  constructor(
    readonly name: string,
    wire: WireName,
    readonly person: number,
    readonly client: Client,
    private readonly around: Around,
  ) {
    this.wire = wireOf(wire);
    this.model = new Model(client.id, TELLINGS, around.outOfSightOf(person));
  }

  /** Asks until it knows how it ended; null if it was refused, or nobody is there to ask. */
  async does(call: Call): Promise<{ body: Body } | null> {
    if (this.away) return null;
    for (const end = performance.now() + PATIENCE; ; await pause()) {
      const line = this.line?.isOpen ? this.line : null;
      const answer = await (line?.ask(call) ?? restOf(this.client, call.rest));
      if (answer.state === "ok") return answer;
      if (answer.state === "refused") {
        if (answer.code === "INTERNAL") this.faults.push(`${JSON.stringify(call.rest)}: INTERNAL`);
        return null;
      }
      if ((call.once && !answer.sure) || (call.hurried && answer.code === "RATE_LIMITED")) return null;
      if (performance.now() > end) throw new Error(`${this.name}: no answer to ${JSON.stringify(call.rest)}`);
    }
  }

  goAway(inOrder: boolean): Promise<void> {
    return this.inTurn(async () => {
      this.away = true;
      await this.hangUp(inOrder);
    });
  }

  comeBack(): Promise<void> {
    return this.inTurn(async () => {
      this.away = false;
      await this.untilIn();
    });
  }

  /** In the room if it may be, with nothing left out of what it was told. */
  tend(): Promise<void> {
    return this.inTurn(async () => {
      if (!this.away) await this.untilIn();
    });
  }

  /** Takes in what it was told so far. */
  hear(): void {
    const { line } = this;
    if (!line || this.needsAll) return;
    for (const { told } = line; this.cursor < told.length && !this.needsAll; this.cursor += 1) {
      const one = told[this.cursor] as (typeof told)[number];
      if (one.what === "cut") this.isCut = true;
      else if (one.what === "reset") {
        this.model.offset = one.offset ?? this.model.offset;
        this.needsAll = true;
      } else this.model.take(one);
    }
  }

  /** Ends for good. */
  async end(): Promise<void> {
    await this.inTurn(() => this.hangUp(false));
  }

  get broken(): readonly string[] {
    return [...this.faults, ...(this.line?.broken ?? []), ...this.model.faults];
  }

  private async untilIn(): Promise<void> {
    for (const end = performance.now() + PATIENCE; ; await pause())
      try {
        return await this.enter();
      } catch (error) {
        if (performance.now() > end)
          throw new Error(`${this.name} does not come in: ${String(error)}`, { cause: error });
      }
  }

  private async enter(): Promise<void> {
    const cuts = this.around.cutsOf(this.person);
    this.hear();
    const knowsOfCuts = this.wire.knows.everything;
    if (!this.line?.isOpen || this.isCut || (!knowsOfCuts && cuts !== this.cuts)) await this.connect();
    if (!this.line) return;
    if (this.needsAll) await this.fetchAll(this.line, "begin");
    else if (this.needsOwn || (this.wire.knows.everything && this.model.threads.unsure))
      await this.fetchAll(this.line, "own");
    this.cuts = cuts;
    this.hear();
  }

  private async connect(): Promise<void> {
    await this.hangUp(false);
    const { url, wsUrl, room, isDirect, cutsBefore } = this.around;
    const { offset, lastSeq } = this.model;
    const had = this.needsAll ? null : { offset, lastSeq, n: this.n, epoch: this.epoch };
    const isHidden = (seq: number): boolean => cutsBefore || [...this.model.outOfSight.values()].includes(seq);
    const { line, entered } = await this.wire.open({ client: this.client, url, wsUrl, room, isDirect, had, isHidden });
    this.outside = entered.state === "denied";
    if (this.outside) return line.end(false);
    this.line = line;
    this.cursor = 0;
    this.isCut = false;
    if (entered.offset !== null) this.model.offset = entered.offset;
    const goesOn = had !== null && this.wire.knows.offsets && entered.state !== "reset";
    if (!goesOn) this.needsAll = true;
    this.needsOwn = !entered.notes;
  }

  /** Position first, then data; what it is told from the position on is applied to that. */
  private async fetchAll(line: Line, what: "begin" | "own"): Promise<void> {
    const fetched = await this.around.fetch(this.client, this.wire.knows.everything ? "everything" : "messages");
    if (fetched) {
      this.model[what](fetched);
      this.needsAll = this.needsOwn = false;
    } else {
      this.outside = true;
      this.line = null;
      await line.end(false);
    }
  }

  /** What it was told before is not lost. */
  private async hangUp(inOrder: boolean): Promise<void> {
    const { line } = this;
    if (!line) return;
    await line.end(inOrder);
    this.hear();
    this.n = line.n ?? this.n;
    this.epoch = line.epoch ?? this.epoch;
    this.faults.push(...line.broken);
    this.line = null;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }
}

const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, PAUSE));
