import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../mixins/documents";
import type { AuditRecord } from "../core/contract";

export const AUDIT: CollectionSpec = { collection: "audit", indexes: [{ name: "at", fields: ["at"] }] };

/** Who did what. Only ever appended to. */
export class AuditLog {
  constructor(private readonly records: Documents<AuditRecord>) {}

  /** The same record again is the same record. */
  async append(records: readonly AuditRecord[]): Promise<void> {
    for (const record of records)
      await this.records.insert(record).catch((error: unknown) => {
        if (!(error instanceof DuplicateKeyError)) throw error;
      });
  }
}
