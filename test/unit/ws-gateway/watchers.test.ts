import type { PresenceChange } from "../../../services/core/contract";
import { Connection } from "../../../services/ws-gateway/connection";
import type { Socket } from "../../../services/ws-gateway/engine";
import { Watchers } from "../../../services/ws-gateway/watchers";
import { eventually } from "../../support/eventually";

function ground() {
  const online = new Set<string>();
  const asked: string[][] = [];
  let answer = async (): Promise<void> => undefined;
  /** Of whom nobody may see whether he is there. */
  const hidden = new Set<string>();
  let seeing = async (): Promise<void> => undefined;
  const watchers = new Watchers(
    async users => {
      asked.push(users);
      const now = users.map((user): PresenceChange => ({ user, status: online.has(user) ? "online" : "offline" }));
      await answer();
      return now;
    },
    async asks => {
      const now = asks.map(({ users }) => users.filter(user => hidden.has(user)));
      await seeing();
      return now;
    },
  );
  const connect = () => {
    const sent: PresenceChange[] = [];
    const take = (frame: string) => sent.push(...(JSON.parse(frame) as { changes: PresenceChange[] }).changes);
    const socket = { send: (text: string) => text.split("\n").forEach(take) };
    const connection = new Connection(socket as unknown as Socket, 0, () => undefined);
    const told = (): PresenceChange[] => {
      connection.flush();
      return sent;
    };
    return { told, connection };
  };
  const change = (owner: string, n: number, user: string, status: "online" | "offline"): void =>
    watchers.changed({ owner, n, changes: [{ user, status }] });
  return {
    watchers,
    online,
    asked,
    connect,
    change,
    answerWith: (work: () => Promise<void>) => (answer = work),
    hidden,
    seeWith: (work: () => Promise<void>) => (seeing = work),
  };
}

describe("watching presence", () => {
  it("answers with what is, tells changes once, and nothing to those who do not watch any more", async () => {
    const { watchers, online, connect, change } = ground();
    const [one, two] = [connect(), connect()];
    online.add("a");
    expect(await watchers.watch(one.connection, ["a", "b"])).toEqual([
      { user: "a", status: "online" },
      { user: "b", status: "offline" },
    ]);
    await watchers.watch(two.connection, ["b"]);
    online.add("b");
    change("p", 1, "b", "online");
    change("p", 2, "b", "online");
    await watchers.watch(two.connection, []);
    change("p", 3, "b", "offline");
    change("p", 4, "nobody", "online");
    expect(
      one
        .told()
        .filter(({ user }) => user === "b")
        .map(({ status }) => status),
    ).toEqual(["online", "offline"]);
    expect(two.told()).toEqual([{ user: "b", status: "online" }]);
  });

  it.each([
    ["a number is missing", "p", 3],
    ["another owner speaks", "q", 1],
  ])("asks for everybody again when %s, and tells what it had missed", async (_what, owner, n) => {
    const { watchers, online, asked, connect, change } = ground();
    const { told, connection } = connect();
    change("p", 1, "z", "offline");
    await watchers.watch(connection, ["a", "b"]);
    online.add("a");
    const before = asked.length;
    change(owner, n, "b", "online");
    online.add("b");
    await eventually("it is told", () => told().length === 2);
    expect(told()).toEqual(expect.arrayContaining(["a", "b"].map(user => ({ user, status: "online" }))));
    expect(asked.length).toBe(before + 1);
    change(owner, n + 1, "b", "offline");
    expect(asked.length).toBe(before + 1);
  });

  it("takes no number twice", async () => {
    const { watchers, connect, change } = ground();
    const { told, connection } = connect();
    await watchers.watch(connection, ["a"]);
    change("p", 1, "a", "online");
    change("p", 1, "a", "offline");
    expect(told()).toEqual([{ user: "a", status: "online" }]);
  });

  it("does not let an older answer undo a change that came meanwhile", async () => {
    const { watchers, connect, change, answerWith } = ground();
    const [one, two] = [connect(), connect()];
    await watchers.watch(one.connection, ["a"]);
    change("p", 1, "a", "offline");
    answerWith(async () => change("p", 2, "a", "online"));
    expect(await watchers.watch(two.connection, ["a"])).toEqual([{ user: "a", status: "online" }]);
    expect(one.told().at(-1)).toEqual({ user: "a", status: "online" });
  });

  describe("whose presence is not for everybody", () => {
    const ofAnn = (socket: { told(): PresenceChange[] }) => socket.told().filter(({ user }) => user === "ann");

    it("is offline to those it is not for, whatever happens, and to nobody else", async () => {
      const { watchers, online, connect, change, hidden } = ground();
      const [one, two] = [connect(), connect()];
      online.add("ann");
      await watchers.watch(one.connection, ["ann"]);
      hidden.add("ann");
      expect(await watchers.watch(two.connection, ["ann"])).toEqual([{ user: "ann", status: "offline" }]);
      change("p", 1, "ann", "offline");
      change("p", 2, "ann", "online");
      expect([ofAnn(one).length, ofAnn(two).length]).toEqual([2, 0]);
    });

    it("goes and comes as people's relations change, and is asked for again where it was lost", async () => {
      const { watchers, online, connect, hidden } = ground();
      const socket = connect();
      online.add("ann");
      await watchers.watch(socket.connection, ["ann", "bob"]);
      hidden.add("ann");
      watchers.related([{ user: "ann", other: null }]);
      await eventually("she has gone", () => ofAnn(socket).at(-1)?.status === "offline");
      hidden.delete("ann");
      watchers.related([{ user: "zoe", other: null }]);
      expect(ofAnn(socket)).toHaveLength(1);
      watchers.related(null);
      await eventually("she has come", () => ofAnn(socket).at(-1)?.status === "online");
      expect(socket.told().some(({ user }) => user === "bob")).toBe(false);
    });

    it("takes no answer that was asked for before a later one", async () => {
      const { watchers, online, connect, hidden, seeWith } = ground();
      const socket = connect();
      online.add("ann");
      let release = (): void => undefined;
      seeWith(() => new Promise(resolve => (release = resolve)));
      // Asked while she may be seen; answered after she may not.
      const watching = watchers.watch(socket.connection, ["ann"]);
      hidden.add("ann");
      const first = release;
      seeWith(async () => undefined);
      watchers.related([{ user: "ann", other: null }]);
      await new Promise(resolve => setImmediate(resolve));
      first();
      expect(await watching).toEqual([{ user: "ann", status: "offline" }]);
    });

    it("is nobody's until it is known whose it is", async () => {
      const { watchers, online, connect, change, seeWith } = ground();
      const socket = connect();
      seeWith(async () => {
        throw new Error("away");
      });
      await expect(watchers.watch(socket.connection, ["ann"])).rejects.toThrow("away");
      online.add("ann");
      change("p", 1, "ann", "online");
      await watchers.settle();
      expect(ofAnn(socket)).toEqual([]);
      seeWith(async () => undefined);
      await eventually("it is told", async () => {
        await watchers.settle();
        return ofAnn(socket).length > 0;
      });
    });
  });

  it("asks again until presence answers", async () => {
    const { watchers, online, connect, answerWith } = ground();
    const { told, connection } = connect();
    await watchers.watch(connection, ["a"]);
    online.add("a");
    let failures = 2;
    answerWith(async () => {
      if (failures-- > 0) throw new Error("away");
    });
    await expect(watchers.watch(connection, ["a"])).rejects.toThrow("away");
    await eventually("it is told", async () => {
      await watchers.settle();
      return told().length > 0;
    });
    expect([told(), failures]).toEqual([[{ user: "a", status: "online" }], -1]);
  });
});
