import type { Message } from "../../services/core/model";

/** Everybody in the room: it is archived. */
export const EVERYBODY = "*";

interface Silence {
  user: string;
  /** Offsets of the entries that say so; the last not yet written: infinite. */
  from: number;
  until: number;
}

/** Who was not to speak, from one entry that said so to the next. */
export class Silences {
  private all: Silence[] = [];

  begin(): void {
    this.all = [];
  }

  /** Told again it says the same. */
  changed(user: string, silent: boolean, offset: number): void {
    const last = this.all.findLast(one => one.user === user);
    if (offset <= Math.max(last?.from ?? 0, last?.until === Infinity ? 0 : (last?.until ?? 0))) return;
    if (silent === (last?.until === Infinity)) return;
    if (silent) this.all.push({ user, from: offset, until: Infinity });
    else if (last) last.until = offset;
  }

  /** Whether he is, as far as it was told; undefined: it was not. */
  of(user: string): boolean | undefined {
    const last = this.all.findLast(one => one.user === user);
    return last && last.until === Infinity;
  }

  /** What was said against it. */
  brokenBy(messages: readonly Message[]): string[] {
    return this.all.flatMap(({ user, from, until }) =>
      messages
        .filter(({ senderId, offset }) => (user === EVERYBODY || user === senderId) && offset > from && offset < until)
        .map(({ seq }) => `message ${seq} was sent though entry ${from} had silenced ${user}`),
    );
  }
}
