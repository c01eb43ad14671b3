import { AUDIT, AuditLog } from "../../../services/auth/audit-log";
import type { Documents } from "../../../mixins/documents";
import type { AuditRecord } from "../../../services/core/contract";
import { idsAt, newId } from "../../../services/core/ids";
import { codeOf, TestClock } from "../../support/broker";
import { stores, type Store } from "../mixins/stores";

const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

describe.each(stores)("the audit log in %s", (_, open) => {
  let store: Store;
  let records: Documents<AuditRecord>;
  let clock: TestClock;
  let log: AuditLog;
  let n = 0;

  /** Made at this time, ids and all. */
  const at = (time: number, fields: Partial<AuditRecord> = {}): AuditRecord => ({
    id: `${idsAt(time)}000-8000-${String(++n).padStart(12, "0")}`,
    ...{ at: new Date(time).toISOString(), type: "login", actor: null, result: "ok" },
    ...fields,
  });

  beforeEach(async () => {
    store = await open();
    records = await store.documents<AuditRecord>(AUDIT);
    clock = new TestClock(START);
    log = new AuditLog(records, clock, { page: 100, pageDefault: 50 }, 30);
  });
  afterEach(() => store.close());

  it("takes what comes at once in one write, and the same record again as the same", async () => {
    const inserts = jest.spyOn(records, "insertMany");
    const [a, b, c] = [at(START), at(START + 1), at(START + 2)] as [AuditRecord, AuditRecord, AuditRecord];
    await Promise.all([log.append([a]), log.append([b])]);
    expect(inserts).toHaveBeenCalledTimes(1);
    await log.append([{ ...a, actor: "somebody-else" }, c]);
    await log.append([b]);
    expect((await log.page({})).items).toEqual([c, b, a]);
  });

  it("gives them newest first, by whom, what, to whom and when, in windows", async () => {
    const all = [
      at(START, { actor: "ann" }),
      at(START + DAY, { actor: "ann", type: "logout", object: "s" }),
      at(START + 2 * DAY, { actor: "bob", type: "login", result: "refused" }),
      at(START + 3 * DAY, { actor: "ann", type: "login", object: "s" }),
    ];
    await log.append(all);
    const ids = async (query: Parameters<AuditLog["page"]>[0]) =>
      (await log.page(query)).items.map(({ id }) => all.findIndex(record => record.id === id));
    expect(await ids({})).toEqual([3, 2, 1, 0]);
    expect(await ids({ actor: "ann" })).toEqual([3, 1, 0]);
    expect(await ids({ object: "s" })).toEqual([3, 1]);
    expect(await ids({ type: "login" })).toEqual([3, 2, 0]);
    expect(await ids({ result: "refused" })).toEqual([2]);
    expect(await ids({ since: "2026-01-02T00:00:00Z", until: "2026-01-04T00:00:00Z" })).toEqual([2, 1]);
    expect(await log.page({ limit: 2 })).toMatchObject({ hasBefore: true });
    expect(await ids({ limit: 2, before: all[2]?.id })).toEqual([1, 0]);
    expect(await log.page({ limit: 2, before: all[2]?.id })).toMatchObject({ hasBefore: false });
    expect(await ids({ before: all[3]?.id, until: "2026-01-02T00:00:00Z" })).toEqual([0]);
    for (const wrong of ["yesterday", "2026-99-99", "12"])
      expect(await codeOf(log.page({ since: wrong }))).toBe("INVALID");
  });

  it("forgets what is too old and nothing else", async () => {
    const [old, young] = [at(START), at(START + DAY)] as [AuditRecord, AuditRecord];
    await log.append([old, young]);
    clock.advance(30 * DAY);
    await log.sweep();
    expect(await records.count()).toBe(2);
    clock.advance(1);
    await log.sweep();
    expect((await log.page({})).items).toEqual([young]);
    clock.advance(1_000 * DAY);
    await new AuditLog(records, clock, { page: 100, pageDefault: 50 }, 0).sweep();
    expect(await records.count()).toBe(1);
  });
});

test("ids made at a moment sort around its bound", () => {
  const now = Date.now();
  const id = newId();
  expect(idsAt(now - 1_000) < id && id < idsAt(now + 1_000)).toBe(true);
});
