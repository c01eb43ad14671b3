import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import type { AuditPage, AuditQuery, AuditRecord } from "../core/contract";
import { invalidField } from "../core/errors";
import { idsAt, isId } from "../core/ids";
import type { Limits } from "../core/limits";

/** Ids sort by time: each of these gives what it names newest first. */
export const AUDIT: CollectionSpec = {
  collection: "audit",
  indexes: [
    { name: "at", fields: ["at"] },
    { name: "actorId", fields: ["actor", "_id"] },
    { name: "objectId", fields: ["object", "_id"] },
    { name: "typeId", fields: ["type", "_id"] },
  ],
};

const DAY = 86_400_000;
/** Records removed in one sweep at most. */
const BATCH = 1_000;

/** Who did what. Only ever appended to; what is too old leaves it. */
export class AuditLog {
  private waiting: AuditRecord[] = [];
  private next: Promise<void> | null = null;

  constructor(
    private readonly records: Documents<AuditRecord>,
    private readonly clock: Clock,
    private readonly limits: Pick<Limits, "page" | "pageDefault">,
    /** 0: they are kept for ever. */
    private readonly days: number,
  ) {}

  /** Those of one tick in one write. The same record again is the same record. */
  append(records: readonly AuditRecord[]): Promise<void> {
    this.waiting.push(...records);
    this.next ??= new Promise(resolve => setImmediate(resolve)).then(() => {
      const batch = this.waiting;
      this.waiting = [];
      this.next = null;
      return this.store(batch);
    });
    return this.next;
  }

  /** Newest first, of those that all that is given holds for. */
  async page({ since, until, before, limit, ...given }: AuditQuery): Promise<AuditPage> {
    const size = Math.min(limit ?? this.limits.pageDefault, this.limits.page);
    if (before !== undefined && !isId(before)) throw invalidField("before", "Give the id of a record.");
    const from = since === undefined ? undefined : timeOf("since", since);
    const to = until === undefined ? undefined : timeOf("until", until);
    const below = [before, to === undefined ? undefined : idsAt(to)].filter(bound => bound !== undefined).sort()[0];
    const id = { ...(from !== undefined && { $gte: idsAt(from) }), ...(below !== undefined && { $lt: below }) };
    const where = { ...given, ...(Object.keys(id).length > 0 && { id }) };
    const found = await this.records.find({ where, sort: "-id", limit: size + 1 });
    return { items: found.slice(0, size), hasBefore: found.length > size };
  }

  /** Removes a bounded number of those that are too old. */
  async sweep(): Promise<void> {
    if (this.days === 0) return;
    const at = { $lt: new Date(this.clock.now() - this.days * DAY).toISOString() };
    const old = await this.records.find({ where: { at }, sort: "at", limit: BATCH });
    if (old.length > 0) await this.records.removeWhere({ id: { $in: old.map(record => record.id) }, at });
  }

  private async store(records: readonly AuditRecord[]): Promise<void> {
    for (let left = [...new Map(records.map(record => [record.id, record])).values()]; left.length > 0;) {
      try {
        return await this.records.insertMany(left);
      } catch (error) {
        if (!(error instanceof DuplicateKeyError)) throw error;
        const known = await this.records.pick(
          left.map(({ id }) => id),
          ["at"],
        );
        const unknown = left.filter(({ id }) => !known.has(id));
        if (unknown.length === left.length) throw error;
        left = unknown;
      }
    }
  }
}

function timeOf(field: string, text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time) || time < 0) throw invalidField(field, "Give a time, as 2026-01-31T12:00:00Z.");
  return time;
}
