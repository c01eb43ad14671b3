import { openDocuments } from "../../../mixins/documents";
import type { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { RevocationLog } from "../../../services/auth/revocation-log";
import { ROLE_TABLE, RoleTable, type StoredRole } from "../../../services/auth/role-table";
import { Sealing } from "../../../services/auth/sealing";
import { SECOND_FACTORS, SecondFactors, type SecondFactor } from "../../../services/auth/second-factor";
import { SecondFactorDuty } from "../../../services/auth/second-factor-duty";
import { SECRET, type TestClock } from "../../support/broker";

/** What accounts stand on besides credentials, sessions and the log. */
export async function accessParts(database: SqliteDatabase, revocations: RevocationLog, clock: TestClock) {
  const factors = await openDocuments<SecondFactor>(database, SECOND_FACTORS);
  const secondFactors = new SecondFactors(factors, new Sealing(SECRET), clock);
  const roles = new RoleTable(await openDocuments<StoredRole>(database, ROLE_TABLE), revocations, clock);
  const duty = new SecondFactorDuty([], secondFactors);
  return { factors, secondFactors, duty, roles, forget: async (id: string) => void (await secondFactors.remove(id)) };
}
