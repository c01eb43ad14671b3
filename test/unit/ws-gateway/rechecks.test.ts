import type { RoomAccess } from "../../../services/core/contract";
import { Connection } from "../../../services/ws-gateway/connection";
import type { Socket } from "../../../services/ws-gateway/engine";
import { Rechecks } from "../../../services/ws-gateway/rechecks";
import { PendingRights } from "../../../services/ws-gateway/rights";

function ground() {
  const asked: string[][] = [];
  const answered: string[] = [];
  const unanswered: Connection[] = [];
  let away = false;
  let wait = async (): Promise<void> => undefined;
  const rechecks = new Rechecks({
    async access(_user, _browses, rooms): Promise<RoomAccess[]> {
      asked.push(rooms);
      await wait();
      if (away) throw new Error("away");
      return rooms.map(room => ({ room, role: "member", visibleFrom: 0 }));
    },
    answered(connection, room) {
      answered.push(room);
      connection.own(room).pending = null;
    },
    unanswered: connection => unanswered.push(connection),
  });
  const connect = (user: string): Connection => {
    const connection = new Connection({ id: 1 } as Socket, 0, () => undefined);
    connection.token = {
      identity: { id: user, username: user, roles: [], permissions: [], sid: "s" },
      expiresAt: 0,
      revision: 0,
    };
    return connection;
  };
  const skip = (connection: Connection, ...rooms: string[]): void => {
    for (const room of rooms) {
      const pending = new PendingRights();
      connection.rooms.set(room, {
        member: false,
        open: false,
        passive: false,
        visibleFrom: 0,
        cursor: null,
        replayed: 0,
        pending,
        resume: null,
        ending: null,
      });
      rechecks.add(connection, room);
    }
  };
  return {
    asked,
    answered,
    unanswered,
    connect,
    skip,
    setAway: (value: boolean) => (away = value),
    whileAsking: (work: () => Promise<void>) => (wait = work),
  };
}

describe("rechecks", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it("ask for all rooms of a user that wait for their turn at once", async () => {
    const { asked, answered, connect, skip, whileAsking } = ground();
    let open = (): void => undefined;
    const opened = new Promise<void>(resolve => (open = resolve));
    whileAsking(() => opened);
    for (let n = 0; n < 32; n++) skip(connect(`v${n}`), "other");
    skip(connect("u"), "a", "b", "c");
    await jest.advanceTimersByTimeAsync(0);
    expect(asked).toHaveLength(32);
    open();
    await jest.advanceTimersByTimeAsync(0);
    expect(asked.slice(32)).toEqual([["a", "b", "c"]]);
    expect(answered.slice(32)).toEqual(["a", "b", "c"]);
  });

  it("ask in several questions for more rooms than one may name", async () => {
    const { asked, answered, connect, skip } = ground();
    skip(connect("u"), ...Array.from({ length: 1_100 }, (_, n) => `r${n}`));
    await jest.advanceTimersByTimeAsync(0);
    expect(asked.map(rooms => rooms.length)).toEqual([500, 500, 100]);
    expect(new Set(answered).size).toBe(1_100);
  });

  it("ask for a user's rooms together again after there was no answer", async () => {
    const { asked, connect, skip, setAway } = ground();
    setAway(true);
    skip(connect("u"), "a", "b");
    await jest.advanceTimersByTimeAsync(150);
    expect(asked).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
  });

  it("ask nothing about what was left, or subscribed anew, meanwhile", async () => {
    const { asked, answered, connect, skip, setAway } = ground();
    const connection = connect("u");
    setAway(true);
    skip(connection, "a");
    await jest.advanceTimersByTimeAsync(0);
    connection.rooms.delete("a");
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual([["a"]]);
    expect(answered).toEqual([]);
  });

  it("ask again with longer and longer pauses, and go on with the answer", async () => {
    const { asked, answered, unanswered, connect, skip, setAway } = ground();
    setAway(true);
    skip(connect("u"), "a");
    await jest.advanceTimersByTimeAsync(10_000);
    expect(asked.length).toBeGreaterThan(6);
    expect(asked.length).toBeLessThan(12);
    setAway(false);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(answered).toEqual(["a"]);
    expect(unanswered).toEqual([]);
  });

  it("give a reader up of whom nothing can be found out, once, and stop", async () => {
    const { asked, answered, unanswered, connect, skip, setAway } = ground();
    const connection = connect("u");
    setAway(true);
    skip(connection, "a");
    await jest.advanceTimersByTimeAsync(120_000);
    expect(unanswered).toEqual([connection]);
    expect(asked).toHaveLength(12);
    expect(answered).toEqual([]);
  });
});
