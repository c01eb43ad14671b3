import { newId } from "../../../services/core/ids";
import { eventFrame } from "../../../services/core/protocol";
import type { RoomEvent } from "../../../services/core/room-bus";
import { Connection } from "../../../services/ws-gateway/connection";
import type { Socket } from "../../../services/ws-gateway/engine";
import { RoomFeed } from "../../../services/ws-gateway/feed";
import { Replayer } from "../../../services/ws-gateway/replay";
import { countNothing } from "./counts";

const entry = (offset: number): RoomEvent => ({ offset, seq: offset, kind: "message", data: `{"id":"${offset}"}` });

/** A room whose log may be ahead of what the bus has told, and one reader who is behind. */
async function ground(stored: number) {
  const room = newId();
  const log = Array.from({ length: stored }, (_, n) => entry(n + 1));
  const offsets: number[] = [];
  const frames: string[] = [];
  let live = false;
  const socket: Socket = {
    id: 1,
    address: "127.0.0.1",
    protocol: "rookery.v1",
    data: null,
    closed: false,
    buffered: 0,
    send: text => {
      for (const line of String(text).split("\n")) {
        const { t, offset } = JSON.parse(line) as { t: string; offset: number };
        if (t === "event") offsets.push(offset);
        else frames.push(t);
      }
    },
    cork: write => write(),
    subscribe: () => (live = true),
    unsubscribe: () => (live = false),
    end: () => undefined,
    close: () => undefined,
  } as Socket;
  const head = () => ({ offset: log.length, seq: log.length, floor: 1 });
  /** How often the log does not answer yet. */
  const away = { reads: 0 };
  const range = async (_room: string, after: number) => {
    if (away.reads-- > 0) throw new Error("the log does not answer");
    return { events: log.slice(after), more: false, head: head() };
  };
  const feed = new RoomFeed(room, {
    heads: async () => head(),
    range,
    encode: (_, { offset, kind, data }) => eventFrame(room, offset, kind, data),
    counts: countNothing,
    // What the engine does for a live reader.
    entries: (_, events) => void (live && offsets.push(...events.map(({ offset }) => offset))),
    skipped: () => undefined,
    heal: work => work(),
    now: () => performance.now(),
    time: () => Date.now(),
  });
  await feed.ready;
  const connection = new Connection(socket, 0, () => undefined);
  const replayer = new Replayer({
    feed: () => feed,
    done: () => undefined,
    ended: () => undefined,
    reset: () => undefined,
  });
  return {
    log,
    away,
    offsets,
    frames,
    tell: (...events: RoomEvent[]) => feed.receive({ type: "events", room, events }),
    async replay(after: number) {
      connection.rooms.set(room, {
        member: true,
        open: true,
        passive: false,
        visibleFrom: 0,
        cursor: after,
        replayed: 0,
        pending: null,
        resume: null,
        ending: null,
      });
      connection.replay(room);
      await replayer.pump(connection);
    },
  };
}

describe("a replay", () => {
  it("gives an entry once that is in the log before the bus has told of it", async () => {
    const { log, offsets, tell, replay } = await ground(3);
    log.push(entry(4), entry(5));
    await replay(0);
    expect(offsets).toEqual([1, 2, 3]);
    tell(entry(4), entry(5));
    expect(offsets).toEqual([1, 2, 3, 4, 5]);
  });

  it("keeps the order when the bus tells of the first of them while the log is read", async () => {
    const { log, offsets, tell, replay } = await ground(3);
    log.push(entry(4), entry(5));
    const replayed = replay(0);
    tell(entry(4));
    await replayed;
    tell(entry(5));
    expect(offsets).toEqual([1, 2, 3, 4, 5]);
  });

  it("goes on with the subscription that took the place of another while the log was read", async () => {
    const { offsets, replay } = await ground(3);
    const first = replay(0);
    await Promise.all([first, replay(1)]);
    expect(offsets).toEqual([2, 3]);
  });

  it("asks a log again that does not answer, as healing does, before it gives up", async () => {
    const { away, offsets, frames, replay } = await ground(3);
    away.reads = 2;
    await replay(0);
    expect({ offsets, frames }).toEqual({ offsets: [1, 2, 3], frames: [] });
  });

  it("is given up by a reset once the log has not answered for 5 s", async () => {
    const { away, offsets, frames, replay } = await ground(3);
    away.reads = Infinity;
    await replay(0);
    expect({ offsets, frames }).toEqual({ offsets: [], frames: ["reset"] });
  });
});
