import type { RoomAccess } from "../core/contract";
import type { Connection, Subscription } from "./connection";
import { Lanes } from "./lanes";

/** Questions under way at once: after an outage every room may have some. */
const ASKS = 32;
/** Subscriptions looked at by one question. */
const BATCH = 500;
/** Milliseconds before a question without an answer is put again: at first, and at most. */
const RETRY_MS = 100;
const RETRY_MOST_MS = 5_000;
/** Questions without an answer (half a minute, and the time they took) after which the reader is sent elsewhere. */
const ATTEMPTS = 12;

export interface RecheckDependencies {
  /** Rejects when it is not known. */
  access(user: string, browses: boolean, rooms: string[]): Promise<RoomAccess[]>;
  answered(connection: Connection, room: string, access: RoomAccess | undefined): void;
  /** It cannot be found out. */
  unanswered(connection: Connection): void;
}

interface Check {
  connection: Connection;
  room: string;
  /** Rights this is about; they are others when the room has skipped once more, or was subscribed anew. */
  pending: Subscription["pending"];
  attempts: number;
}

/** Looks at the rights of readers again, a user's rooms together. Only an answer decides; without one it asks again. */
export class Rechecks {
  private readonly due = new Map<string, Check[]>();
  private readonly lanes = new Lanes(ASKS);

  constructor(private readonly with_: RecheckDependencies) {}

  /** Looks at a subscription whose rights are pending. */
  add(connection: Connection, room: string): void {
    this.put({ connection, room, pending: connection.rooms.get(room)?.pending ?? null, attempts: 0 });
  }

  private put(check: Check): void {
    const { user = "", browses } = check.connection;
    const key = `${user} ${browses}`;
    const due = this.due.get(key);
    if (due) return void due.push(check);
    this.due.set(key, [check]);
    void this.lanes.run(() => this.ask(key, user, browses));
  }

  private async ask(key: string, user: string, browses: boolean): Promise<void> {
    // What is put in the same tick goes together.
    await Promise.resolve();
    const due = this.due.get(key) ?? [];
    this.due.delete(key);
    const checks = due.splice(0, BATCH).filter(isOpen);
    for (const check of due) this.put(check);
    if (checks.length === 0) return;
    let answers: RoomAccess[];
    try {
      answers = await this.with_.access(user, browses, [...new Set(checks.map(({ room }) => room))]);
    } catch {
      return this.again(checks);
    }
    const accessTo = new Map(answers.map(access => [access.room, access]));
    for (const check of checks)
      if (isOpen(check)) this.with_.answered(check.connection, check.room, accessTo.get(check.room));
  }

  private again(checks: readonly Check[]): void {
    const next = checks.map(check => ({ ...check, attempts: check.attempts + 1 }));
    for (const { connection, attempts } of next) if (attempts >= ATTEMPTS) this.with_.unanswered(connection);
    const left = next.filter(check => check.attempts < ATTEMPTS && isOpen(check));
    const attempts = Math.min(...left.map(check => check.attempts));
    const delay = Math.min(RETRY_MS * 2 ** (attempts - 1), RETRY_MOST_MS) * (0.5 + Math.random() / 2);
    if (left.length > 0) setTimeout(() => left.forEach(check => this.put(check)), delay).unref();
  }
}

const isOpen = ({ connection, room, pending }: Check): boolean =>
  pending !== null && connection.rooms.get(room)?.pending === pending;
