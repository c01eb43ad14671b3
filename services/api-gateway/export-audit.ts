import { timestamp, type Clock } from "../core/clock";
import type { AuditQuery, Caller } from "../core/contract";
import { EXPORT_VERSION, line, type ExportRequest } from "./export-lines";
import { Pages } from "./export-pages";

const RECORDS = 100;

/** The audit log, newest first. Every page is asked for as the caller: who may read no longer gets no more. */
export async function* auditLines(via: Caller, clock: Clock, { query }: ExportRequest): AsyncGenerator<string> {
  const pages = new Pages(via, clock);
  const wanted = { ...query, limit: RECORDS } as AuditQuery;
  let page = await pages.ask("auth.audit", wanted);
  yield line("export", { version: EXPORT_VERSION, kind: "audit", exportedAt: timestamp(clock) });
  let records = 0;
  for (;;) {
    for (const record of page.items) yield line("record", { record });
    records += page.items.length;
    const last = page.items.at(-1);
    if (!page.hasBefore || !last) break;
    page = await pages.ask("auth.audit", { ...wanted, before: last.id });
  }
  yield line("end", { records });
}
