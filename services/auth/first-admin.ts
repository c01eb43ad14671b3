import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { hasCode } from "../core/errors";
import { newId } from "../core/ids";
import type { Accounts, Users } from "./accounts";
import type { Seed } from "./auth.store";

const ADMIN = "admin";
const EMAIL = "admin@localhost";

export interface FirstAdmin {
  /** The password that was made up; null if one was given or nothing had to be done. */
  madePassword: string | null;
  /** To be called once a made-up password has been shown; until then the next start makes another. */
  shown(): Promise<void>;
}

/**
 * Makes the user `admin` in a new installation, with the given password or a random one. His id is stored before he is, so
 * a start that was cut off is finished by the next; after that no start changes anything.
 */
export async function seedAdmin(
  seeds: Documents<Seed>,
  accounts: Accounts,
  users: Users,
  password: string | null,
  randomPassword: () => string,
): Promise<FirstAdmin> {
  const seed = await claim(seeds);
  const finish = async (): Promise<void> => void (await seeds.update(seed.id, known => ({ ...known, done: true })));
  const nothing: FirstAdmin = { madePassword: null, shown: async () => undefined };
  if (seed.done) return nothing;

  const used = password ?? randomPassword();
  await accounts.setPassword(seed.userId, used);
  try {
    await users.create({ id: seed.userId, username: ADMIN, email: EMAIL, roles: ["Admin"] });
  } catch (error) {
    if (!hasCode(error, "CONFLICT")) throw error;
    // Somebody else has the name: these users were not made by this store.
    await accounts.revoke(seed.userId, { forget: true });
    await finish();
    return nothing;
  }
  if (password === null) return { madePassword: used, shown: finish };
  await finish();
  return nothing;
}

async function claim(seeds: Documents<Seed>): Promise<Seed> {
  const known = await seeds.get(ADMIN);
  if (known) return known;
  try {
    return await seeds.insert({ id: ADMIN, userId: newId(), done: false });
  } catch (error) {
    if (!(error instanceof DuplicateKeyError)) throw error;
    return claim(seeds);
  }
}
