import { randomBytes } from "node:crypto";
import type { Platform } from "../../config/platform";
import { keepAnew } from "../../mixins/mongo/once";

/**
 * After a restore: the log has a new epoch. Entries that were acknowledged are gone and their offsets are given again, so
 * nobody may resume by what he knew of them. Resolves to what an operator is told.
 */
export async function restored(platform: Platform): Promise<string> {
  const epoch = randomBytes(16).toString("hex");
  if (platform.config.cluster) await keepAnew(await platform.mongo(), "log", "epoch", epoch);
  else {
    const database = await platform.database();
    const { failure } = await database.write([[{ sql: "UPDATE log SET epoch = ?", params: [epoch] }]]);
    if (failure) throw new Error(failure.message);
  }
  return `the log has the new epoch ${epoch}: clients that come back get reset for every room and fetch its history`;
}
