import type { Limits } from "../core/limits";

/** What may wait for a client, and can be closed for it. */
interface Reader {
  readonly socket: { readonly buffered: number };
}

const MIB = 1024 * 1024;
/** Part of what the container has that is ours to take: beyond it the kernel may end the process. */
const SHARE = 0.8;
/** Part of the budget below which newcomers are let in again: at the border it would be on and off. */
const ENOUGH = 0.95;
/** Part of what may wait that is left once the slowest were closed. */
const RELIEF = 0.75;

/**
 * What one process may take. Each socket has a bound of its own; this is for many that come close to it at once, and for
 * all else that grows with who is connected. Over the budget nobody new is let in; those who are stay.
 */
export class MemoryBudget {
  /** It has no room for newcomers. */
  spent = false;
  /** Bytes. */
  private readonly budget: number;

  /**
   * @param limits `memory` MiB of the process, `waiting` MiB of what clients have not taken yet
   * @param resident bytes of the process now
   * @param available bytes the process may have; 0: nobody has set a bound
   */
  constructor(
    private readonly limits: Pick<Limits, "memory" | "waiting">,
    private readonly resident: () => number,
    available: number,
  ) {
    const share = available > 0 ? available * SHARE : Infinity;
    this.budget = Math.min(limits.memory * MIB, share);
  }

  /** Once a second. Returns who is to be closed as too slow: those who keep most waiting, until enough is free. */
  look<R extends Reader>(readers: Iterable<R>): R[] {
    const used = this.resident() / this.budget;
    this.spent = used > (this.spent ? ENOUGH : 1);
    const slow: { reader: R; waits: number }[] = [];
    let waiting = 0;
    for (const reader of readers) {
      const { buffered: waits } = reader.socket;
      if (waits === 0) continue;
      waiting += waits;
      slow.push({ reader, waits });
    }
    const most = this.limits.waiting * MIB;
    if (waiting <= most) return [];
    slow.sort((a, b) => b.waits - a.waits);
    const closed: R[] = [];
    for (const { reader, waits } of slow) {
      if (waiting <= most * RELIEF) break;
      waiting -= waits;
      closed.push(reader);
    }
    return closed;
  }
}
