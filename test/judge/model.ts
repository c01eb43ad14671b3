import type { Observed, RoomStart, Shown } from "./history";

/** An entry as it is delivered, less who sees it. */
export type ModelEntry = Pick<Extract<Observed, { what: "event" }>, "offset" | "kind" | "member" | "reaction"> & {
  message?: Shown;
};

/** A room that keeps every promise, for histories that must be found good. */
export class ModelRoom {
  readonly log: ModelEntry[] = [];
  /** By number, the first of them 1. */
  readonly messages: Shown[] = [];
  readonly members: Set<string>;
  /** Last entry before which a user may read nothing. */
  readonly visibleFrom = new Map<string, number>();
  readonly reads = new Map<string, number>();
  readonly deliveries = new Map<string, number>();
  private readonly byId = new Map<string, Shown>();
  private readonly byKey = new Map<string, Shown>();
  private readonly reactions = new Set<string>();

  constructor(
    readonly id: string,
    readonly founders: readonly string[],
    /** Newcomers may read back. */
    readonly open: boolean,
    readonly told: (room: ModelRoom, entry: ModelEntry) => void,
  ) {
    this.members = new Set(founders);
  }

  get offset(): number {
    return this.log.length;
  }

  get seq(): number {
    return this.messages.length;
  }

  find(id: string): Shown | undefined {
    return this.byId.get(id);
  }

  has(sender: string, clientId: string): boolean {
    return this.byKey.has(`${sender} ${clientId}`);
  }

  send(sender: string, clientId: string, hash: string, id: string): { message: Shown; duplicate: boolean } | string {
    const known = this.byKey.get(`${sender} ${clientId}`);
    if (known) return { message: known, duplicate: true };
    if (!this.members.has(sender)) return "FORBIDDEN";
    const offset = this.offset + 1;
    const message = { id, offset, seq: this.seq + 1, sender, clientId, hash, deleted: false, edited: false };
    this.messages.push(message);
    this.byId.set(id, message);
    this.byKey.set(`${sender} ${clientId}`, message);
    this.append({ offset, kind: "message", message });
    this.mark("read", sender, message.seq);
    return { message, duplicate: false };
  }

  /** Text null: deletes. */
  change(id: string, user: string, hash: string | null): Shown | string {
    const message = this.find(id);
    if (!message) return "NOT_FOUND";
    if (!this.members.has(user)) return "FORBIDDEN";
    if (message.deleted) return hash === null ? message : "CONFLICT";
    Object.assign(message, hash === null ? { deleted: true, hash: null, edited: false } : { hash, edited: true });
    this.append({ offset: this.offset + 1, kind: hash === null ? "delete" : "edit", message });
    return message;
  }

  react(id: string, user: string, emoji: string): Shown | string {
    const message = this.find(id);
    if (!message || message.deleted || !this.members.has(user)) return "CONFLICT";
    const key = `${id} ${user} ${emoji}`;
    if (!this.reactions.has(key)) {
      this.reactions.add(key);
      this.append({ offset: this.offset + 1, kind: "reaction", reaction: { message: id, user, emoji, on: true } });
    }
    return message;
  }

  member(user: string, change: "join" | "remove"): void {
    if (this.members.has(user) === (change === "join")) return;
    if (change === "remove") this.members.delete(user);
    this.append({ offset: this.offset + 1, kind: "member", member: { user, change } });
    if (change !== "join") return;
    this.members.add(user);
    if (!this.open) this.visibleFrom.set(user, this.offset);
    this.mark("read", user, this.seq);
  }

  mark(kind: "read" | "delivered", user: string, seq: number): void {
    const marks = kind === "read" ? this.reads : this.deliveries;
    marks.set(user, Math.max(marks.get(user) ?? 0, Math.min(seq, this.seq)));
  }

  start(user: string, from: number | null, sameEpoch: boolean): RoomStart {
    if (!this.members.has(user)) return { state: "denied", code: "NOT_FOUND" };
    const { offset } = this;
    if (from === null || from === offset) return { state: sameEpoch || from === null ? "live" : "reset", offset };
    const far = offset - from > 40 || from > offset || from < (this.visibleFrom.get(user) ?? 0);
    return { state: far || !sameEpoch ? "reset" : "replayed", offset };
  }

  page(user: string, { before, after, limit }: { before?: number; after?: number; limit: number }): Shown[] | string {
    if (!this.members.has(user)) return "NOT_FOUND";
    const from = this.visibleFrom.get(user) ?? 0;
    const visible = this.messages.slice(after ?? 0, (before ?? Infinity) - 1).filter(({ offset }) => offset > from);
    return after === undefined ? visible.slice(-limit) : visible.slice(0, limit);
  }

  unread(user: string): number {
    const read = this.reads.get(user) ?? 0;
    return this.messages.slice(read).filter(({ sender, deleted }) => sender !== user && !deleted).length;
  }

  receipt({ seq }: Shown, user: string): "sent" | "delivered" | "read" {
    if ((this.reads.get(user) ?? 0) >= seq) return "read";
    return (this.deliveries.get(user) ?? 0) >= seq ? "delivered" : "sent";
  }

  /** As a backup has it that was taken when there were so many entries and no message was changed after. */
  restore(length: number): void {
    const kept = this.log.splice(0).slice(0, length);
    this.log.push(...kept);
    this.messages.splice(kept.filter(({ kind }) => kind === "message").length);
    for (const known of [this.byKey, this.byId])
      for (const [key, { offset }] of known) if (offset > length) known.delete(key);
    this.reads.clear();
    this.deliveries.clear();
    for (const { sender, seq } of this.messages) this.mark("read", sender, seq);
  }

  private append(entry: ModelEntry): void {
    this.log.push(entry);
    this.told(this, entry);
  }
}
