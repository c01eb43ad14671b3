import { join } from "node:path";
import { openDocuments, StorageError, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import type { Identity } from "../../../services/core/model";
import type { Role } from "../../../services/core/permissions";
import { ADMINS, type AdminStage } from "../../../services/users/admins";
import { Directory } from "../../../services/users/directory";
import { Lifecycle, type Consequences } from "../../../services/users/lifecycle";
import { USERS, type StoredUser } from "../../../services/users/user";
import { codeOf, identity, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

let database: SqliteDatabase;
let clock: TestClock;
let users: Documents<StoredUser>;
/** What other services were told. */
let told: string[];
/** Runs before each write of a user. */
let before: () => Promise<void>;

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "users.db"));
  clock = new TestClock();
  users = await openDocuments<StoredUser>(database, USERS);
  told = [];
  before = async () => undefined;
});
afterEach(() => database.close());

const consequences: Consequences = {
  rolesChanged: async id => void told.push(`roles ${id}`),
  deactivated: async id => void told.push(`deactivated ${id}`),
  removed: async id => void told.push(`removed ${id}`),
};

/** Users, to whom something may happen between their being read and their being written. */
async function delayed(): Promise<Documents<StoredUser>> {
  const own = await openDocuments<StoredUser>(database, USERS);
  const update = own.update.bind(own);
  own.update = async (id, change) => {
    await before();
    return update(id, change);
  };
  return own;
}

async function node(own?: Documents<StoredUser>): Promise<Lifecycle> {
  const stored = own ?? (await delayed());
  const stages = await openDocuments<AdminStage>(database, ADMINS);
  return new Lifecycle(new Directory(stored), stored, stages, clock, () => undefined);
}

async function admin(via: Lifecycle, roles: Role[] = ["Admin"]): Promise<Identity> {
  const user = identity(newId(), roles);
  await via.create({ id: user.id, username: user.username, email: `${user.id}@example.org`, roles });
  return user;
}

const admins = async () => (await users.find({ where: { admin: true } })).map(({ id }) => id);

describe("two nodes with users", () => {
  it.each(["demote", "remove", "give up"])("keep one of two Admins who %s one another at the same time", async how => {
    const [one, two] = [await node(), await node()];
    for (let round = 0; round < 10; round++) {
      for (const id of await admins()) await users.remove(id);
      const [a, b] = [await admin(one), await admin(two)];
      const act = (via: Lifecycle, whom: Identity, who: Identity) =>
        how === "remove"
          ? via.remove(consequences, whom.id, who)
          : via.update(consequences, how === "demote" ? whom.id : who.id, {}, ["User"]);
      const answers = await Promise.all([codeOf(act(one, b, a)), codeOf(act(two, a, b))]);
      expect(answers.filter(answer => answer === "CONFLICT")).toHaveLength(1);
      expect(await admins()).toHaveLength(1);
    }
  });

  it.each(["update", "deactivate", "activate", "remove"] as const)(
    "look at whom they %s as he is by then: somebody else has just made more of him",
    async how => {
      const [one, two] = [await node(), await node()];
      const [chief, deputy] = [await admin(one), identity(newId(), ["Moderator"])];
      deputy.permissions.push("users.manage");
      for (const risen of ["Moderator", "Admin"] as const) {
        const user = await admin(one, ["User"]);
        before = async () => {
          before = async () => undefined;
          await two.update(consequences, user.id, {}, [risen]);
        };
        const guard = ({ roles }: StoredUser): void => {
          if (roles.join() !== "User") throw new RookeryError("FORBIDDEN");
        };
        const acts = {
          update: () => one.update(consequences, user.id, { bio: "his" }, ["User"], guard),
          deactivate: () => one.deactivate(consequences, user.id, guard),
          activate: () => one.activate(user.id, guard),
          remove: () => one.remove(consequences, user.id, deputy, guard),
        };
        expect(await codeOf(acts[how]())).toBe("FORBIDDEN");
        const now = (await users.get(user.id)) as StoredUser;
        expect(now).toMatchObject({ roles: [risen] });
        expect([now.bio, now.deactivatedAt]).toEqual([undefined, undefined]);
        if (risen === "Admin") await one.remove(consequences, user.id, chief);
      }
    },
  );

  it("keep an Admin, and agree on who is one, whatever they do at the same time", async () => {
    const nodes = [await node(), await node(), await node()];
    const people = await Promise.all(nodes.flatMap(node => [admin(node), admin(node, ["User"])]));
    let calm = false;
    before = async () => {
      if (calm) return;
      if (Math.random() < 0.02) throw new StorageError("failed", "io");
      for (let ticks = Math.random() < 0.05 ? 200 : Math.random() * 8; ticks > 0; ticks--)
        await new Promise(setImmediate);
    };
    const lists: Role[][] = [["User"], ["Admin"], ["Moderator"], ["User", "Admin"]];
    const some = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)] as T;
    const outcomes: string[] = [];
    let fewest = Infinity;
    let done = false;
    const watch = (async () => {
      while (!done) fewest = Math.min(fewest, (await admins()).length);
    })();
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let step = 0; step < 20; step++) {
          const [node, whom] = [some(nodes), some(people)];
          const work =
            Math.random() < 0.1 ? node.resume(consequences) : node.update(consequences, whom.id, {}, some(lists));
          outcomes.push(await codeOf(work));
        }
      }),
    );
    done = true;
    await watch;
    calm = true;
    clock.advance(60_000);
    for (const node of nodes) await node.resume(consequences);
    expect(fewest).toBeGreaterThan(0);
    expect(new Set(outcomes.map(outcome => outcome.replace(/resolved.*/, "ok")))).toContain("ok");
    const stage = await (await openDocuments<AdminStage>(database, ADMINS)).get("admins");
    expect(stage).toMatchObject({ pending: [], pendingSince: null });
    for (const { roles, admin: flag, pending } of await users.find()) {
      expect(roles.includes("Admin")).toBe(flag === true);
      expect(pending).toBeUndefined();
    }
  });

  it("finish what a node left between its decision and the record, with all that follows, once", async () => {
    const [one, two] = [await node(), await node()];
    const [a, b] = [await admin(one), await admin(one)];
    before = () => Promise.reject(new StorageError("unknown", "io"));
    expect(await codeOf(one.update(consequences, b.id, { displayName: "Bee" }, ["User"]))).toBe("UNKNOWN_OUTCOME");
    before = async () => undefined;
    expect(await codeOf(two.update(consequences, a.id, {}, ["User"]))).toBe("CONFLICT");
    expect(await users.get(b.id)).toMatchObject({ roles: ["User"], displayName: "Bee" });
    await two.resume(consequences);
    expect(told).toEqual([]);
    clock.advance(4_000);
    await Promise.all([two.resume(consequences), one.resume(consequences)]);
    await two.resume(consequences);
    expect(new Set(told)).toEqual(new Set([`roles ${b.id}`]));
  });

  it("make an Admin whose creation broke off half way, without taking anybody's role for it", async () => {
    const [one, two] = [await node(), await node()];
    before = () => Promise.reject(new StorageError("unknown", "io"));
    const user = { id: newId(), username: "root", email: "root@example.org", roles: ["Admin"] as Role[] };
    expect(await codeOf(one.create(user))).toBe("UNKNOWN_OUTCOME");
    before = async () => undefined;
    expect(await two.create(user)).toMatchObject({ id: user.id, username: "root", roles: ["Admin"] });
    expect(told).toEqual([]);
    const other = await admin(two);
    await two.update(consequences, user.id, {}, ["User"]);
    expect((await one.create(user)).roles).toEqual(["User"]);
    expect(await admins()).toEqual([other.id]);
  });

  it("give a name to one of many who ask for it through both", async () => {
    const nodes = [await node(), await node()];
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => {
        const user = { id: newId(), username: at % 2 ? "Same" : "same", email: `${at}@example.org` };
        return codeOf((nodes[at % 2] as Lifecycle).create(user));
      }),
    );
    expect(answers.filter(answer => answer === "CONFLICT")).toHaveLength(9);
    expect(await users.count()).toBe(1);
  });
});

describe("an erased name", () => {
  const newcomer = (username: string) => ({ id: newId(), username, email: `${newId()}@example.org` });

  it("is nobody's, also of who asked for it while it was being erased", async () => {
    const [one, two] = [await node(), await node()];
    const names = new Directory(await delayed());
    const [alice, bob, carol] = [newcomer("alice"), newcomer("bob"), newcomer("carol")];
    for (const user of [alice, bob, carol]) await one.create(user);
    const own = await openDocuments<StoredUser>(database, USERS);
    const insert = own.insert.bind(own);
    own.insert = async user => {
      await two.erase(consequences, alice.id);
      return insert(user);
    };
    const late = await node(own);
    expect(await codeOf(late.create(newcomer("Alice")))).toBe("CONFLICT");
    expect(await names.byLogin("alice")).toBeNull();
    // The name is given free before it is taken, and after it was looked for.
    before = async () => {
      before = async () => undefined;
      await two.erase(consequences, bob.id);
    };
    expect(await codeOf(names.setUsername(carol.id, "bob"))).toBe("CONFLICT");
    expect(await names.byLogin("bob")).toBeNull();
    expect(await names.byLogin("carol")).toMatchObject({ id: carol.id });
  });
});
