import type { Shown } from "../judge/history";
import type { Body } from "../support/rest";
import type { Account } from "./account";
import type { Journal, Who } from "./journal";
import type { Outcome } from "./outcome";
import { shown } from "./shown";
import { Wire } from "./wire";

/** Messages of a page, and tries of one. */
const PAGE = 100;
const TRIES = 20;
const PAUSE = 250;
/** Milliseconds between two looks for answers that do not come. */
const BEAT = 1_000;

type Page = (after: number) => Promise<Outcome>;

/** Reads rooms as they are in the end, through one door, as one who may read them. */
export class Reader {
  /** Offset of the last entry of each room. */
  readonly heads = new Map<string, number>();
  private readonly beats: NodeJS.Timeout;

  private constructor(
    private readonly wire: Wire,
    private readonly who: Who,
    private readonly journal: Journal,
  ) {
    this.beats = setInterval(() => wire.beat(), BEAT);
  }

  private static count = 0;

  /** Rejects if it is not let in for a while: nothing is wrong with the door any more. */
  static async open(door: string, account: Account, rooms: readonly string[], journal: Journal): Promise<Reader> {
    for (let left = TRIES; left > 0; left -= 1) {
      const token = await account.token();
      const name = `final-${++Reader.count}`;
      const who = { client: name, user: account.user, session: name, door };
      const owner = { took: () => undefined, closed: () => undefined, misbehaved: () => undefined };
      const wire = token === null ? null : await Wire.open(door, journal, who, account.sid, owner);
      if (wire) {
        const reader = new Reader(wire, who, journal);
        if (await reader.hello(token as string, rooms)) return reader;
        reader.close();
      }
      await breath();
    }
    throw new Error(`${door} lets nobody in after everything was healed`);
  }

  /** Every message of a room, as one operation of the history. */
  async all(room: string): Promise<void> {
    const page: Page = after =>
      new Promise(resolve => this.wire.question({ t: "history", room, after, limit: PAGE }, resolve));
    await whole(this.journal, this.who, room, page);
  }

  close(): void {
    clearInterval(this.beats);
    this.wire.leave();
  }

  private async hello(token: string, rooms: readonly string[]): Promise<boolean> {
    const from = Object.fromEntries(rooms.map(room => [room, null]));
    const outcome = await new Promise<Outcome>(resolve =>
      this.wire.ask(
        { op: "subscribe", rooms: from, epoch: null, n: null },
        { t: "hello", token, rooms: from },
        resolve,
      ),
    );
    if (outcome.state !== "ok") return false;
    const states = Object.entries<Body>(outcome.body.rooms);
    for (const [room, { offset }] of states) this.heads.set(room, offset);
    return states.every(([, { state }]) => state !== "denied");
  }
}

/** The same over REST. */
export async function allOverRest(account: Account, room: string, journal: Journal): Promise<void> {
  const page: Page = after => account.request("GET", `/api/channels/${room}/messages?after=${after}&limit=${PAGE}`);
  await whole(journal, account.who, room, page);
}

async function whole(journal: Journal, who: Who, room: string, page: Page): Promise<void> {
  const id = journal.invoke(who, { op: "final", room });
  const items: Shown[] = [];
  for (let left = TRIES; ;) {
    const outcome = await page(items.at(-1)?.seq ?? 0);
    if (outcome.state === "ok") {
      items.push(...outcome.body.items.map(shown));
      if (!outcome.body.hasAfter) return journal.ok(who, id, { op: "final", room }, { items });
      // A page that goes on and brings nothing would go on for ever.
      if (outcome.body.items.length > 0) continue;
    }
    if (--left === 0) return journal.ended(who, id, "info", outcome.state === "ok" ? "EMPTY_PAGE" : outcome.code);
    await breath();
  }
}

const breath = (): Promise<void> => new Promise(resolve => setTimeout(resolve, PAUSE));
