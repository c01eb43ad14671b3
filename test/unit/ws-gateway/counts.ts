import type { HubDependencies } from "../../../services/ws-gateway/hub";

/** Counts by name, and by name and label. */
export class Counts {
  readonly by: Record<string, number> = {};
  readonly delivered = (count: number): void => this.add("delivered", count);
  readonly counts: HubDependencies["counts"] = {
    healed: () => this.add("healed"),
    rangeRead: use => this.add(`read ${use}`),
    dropped: (cause, entries) => this.add(`dropped ${cause}`, entries),
    reset: (cause, sockets) => this.add(`reset ${cause}`, sockets),
  };

  private add(name: string, count = 1): void {
    this.by[name] = (this.by[name] ?? 0) + count;
  }
}

/** For who does not look at them. */
export const countNothing = new Counts().counts;
