import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { REVOCATIONS, type RevocationEntry } from "../../../services/auth/auth.store";
import { RevocationLog } from "../../../services/auth/revocation-log";
import { ROLE_TABLE, RoleTable, type StoredRole } from "../../../services/auth/role-table";
import { RookeryError } from "../../../services/core/errors";
import type { Role } from "../../../services/core/permissions";
import { codeOf, identity, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

describe("the table of roles", () => {
  let database: SqliteDatabase;
  let stored: Documents<StoredRole>;
  let clock: TestClock;
  let log: RevocationLog;
  const admin = identity(undefined, ["Admin"]);

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    stored = await openDocuments<StoredRole>(database, ROLE_TABLE);
    clock = new TestClock();
    log = new RevocationLog(await openDocuments<RevocationEntry>(database, REVOCATIONS), clock, 1e6, () => undefined);
  });
  afterEach(() => database.close());

  it("is the same on every node at once: no token is made from what it was", async () => {
    const [one, two] = [new RoleTable(stored, log, clock), new RoleTable(stored, log, clock)];
    expect(await two.permissionsOf(["User", "Guest"])).toContain("channels.join");
    await one.change("User", [], admin);
    expect(await two.permissionsOf(["User"])).toEqual([]);
    expect(await two.permissionsOf(["User", "Guest"])).toEqual(["files.upload"]);
  });

  it("says which roles allow no more than others, as they are now; to an Admin all", async () => {
    const table = new RoleTable(stored, log, clock);
    expect(await table.within(["Moderator"])).toEqual(["Guest", "User", "Moderator"]);
    expect(await table.within(["Guest"])).toEqual(["Guest"]);
    await table.change("Guest", ["files.upload", "users.email"], admin);
    expect(await table.within(["Moderator"])).toEqual(["User", "Moderator"]);
    expect(await table.within(["Guest", "Moderator"])).toEqual(["Guest", "User", "Moderator"]);
    const reach = async (...roles: Role[]) => table.reachOf(identity(undefined, roles));
    const over = async (caller: Role, ...roles: Role[]) => codeOf(reach(caller).then(own => own.over(roles)));
    expect(await over("Moderator", "User")).toBe("resolved: undefined");
    expect(await over("Moderator", "User", "Guest")).toBe("FORBIDDEN");
    expect(await over("Admin", "Guest", "Admin")).toBe("resolved: undefined");
  });

  it("has a token refused that was made from what it was, by whoever read the log before", async () => {
    const table = new RoleTable(stored, log, clock);
    const revision = await log.current();
    const made = identity(undefined, ["User"]);
    await table.change("User", ["files.upload"], admin);
    expect(log.refuses({ identity: made, revision })).toBe(true);
    expect(log.refuses({ identity: made, revision: await log.current() })).toBe(false);
    expect(log.refuses({ identity: identity(undefined, ["Guest"]), revision })).toBe(false);
  });

  it("finishes a change whose word did not get out", async () => {
    const broken = { append: () => Promise.reject(new RookeryError("UNAVAILABLE")) };
    expect(await codeOf(new RoleTable(stored, broken, clock).change("User", [], admin))).toBe("UNAVAILABLE");
    const revision = await log.current();
    const table = new RoleTable(stored, log, clock);
    await table.sweep();
    expect(await log.current()).toBe(revision);
    clock.advance(5_000);
    await table.sweep();
    expect(log.refuses({ identity: identity(undefined, ["User"]), revision })).toBe(true);
    const head = await log.current();
    clock.advance(5_000);
    await table.sweep();
    expect(await log.current()).toBe(head);
  });
});
