import { EventSource } from "eventsource";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer, type Server } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

/** Somebody in a room over some wire. */
interface Ear {
  /** All that it was told since it came in, as text. */
  told(): string;
  end(): void;
}

/** Where a client comes back to: what it has. */
interface Had {
  offset: number;
  seq: number;
}

/** Who sees nothing of a room from before he came is told nothing of it either, over whatever wire. */
describe("a reader who does not see what was said before he came", () => {
  let server: Server;
  let stage: Stage;
  let ann: Client;
  let late: Client;
  const open: Ear[] = [];

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
    [ann, late] = (await stage.users("ann", "late")) as [Client, Client];
  });
  afterEach(() => open.splice(0).forEach(ear => ear.end()));
  afterAll(() => stage.end());

  const WIRES: Record<string, (room: string, had: Had | null) => Promise<Ear>> = {
    async native(room, had) {
      const socket = await late.socket({ [room]: had?.offset ?? null });
      const [welcome] = socket.frames;
      if (had) expect(welcome?.rooms[room].state).toBe("replayed");
      return { told: () => JSON.stringify(socket.frames), end: () => socket.cut() };
    },
    async "/stream"(room, had) {
      const frames: Body[] = [];
      const source = new EventSource(`${server.url}/stream?rooms=${room}${had ? `:${had.offset}` : ""}`, {
        fetch: (url, init) =>
          fetch(url, { ...init, headers: { ...init.headers, Authorization: `Bearer ${late.token}` } }),
      });
      source.onmessage = ({ data }) => {
        for (const line of (data as string).split("\n")) frames.push(JSON.parse(line) as Body);
      };
      await eventually("welcome", () => frames.length > 0);
      if (had) expect(frames[0].rooms[room].state).toBe("replayed");
      return { told: () => JSON.stringify(frames), end: () => source.close() };
    },
    async SignalR(room, had) {
      const client = await SignalrClient.open(server.url, late.token as string);
      await (had ? client.invoke("JoinChannel", room, had.seq) : client.invoke("JoinChannel", room));
      return { told: () => JSON.stringify(client.called), end: () => void client.close() };
    },
    async "Socket.IO"(room, had) {
      const client = await SocketioClient.open(server.url, late.token as string);
      const { ok } = await client.ask("join", had ? { channelId: room, afterSeq: had.seq } : room);
      expect(ok).toBe(true);
      return { told: () => JSON.stringify(client.told), end: () => client.close() };
    },
  };
  const enter = async (wire: string, room: string, had: Had | null = null): Promise<Ear> => {
    const ear = await (WIRES[wire] as (typeof WIRES)[string])(room, had);
    open.push(ear);
    return ear;
  };
  const hears = (ear: Ear, text: string) => eventually(`he hears ${text}`, () => ear.told().includes(text));

  async function privateRoom(history: "all" | "joined"): Promise<string> {
    const made = await stage.admin.post("/api/channels", { name: unique("room"), isPrivate: true, history });
    const { id } = expectStatus(made, 201).body;
    await add(id as string, ann.id, "moderator");
    return id as string;
  }
  const add = async (room: string, userId: string, role = "member") =>
    expectStatus(await stage.admin.post(`/api/channels/${room}/members`, { userId, role }), 201);

  /** What may become of a message. */
  async function work(id: string, text: string): Promise<void> {
    expectStatus(await ann.patch(`/api/messages/${id}`, { text }), 200);
    expectStatus(await ann.put(`/api/messages/${id}/reactions/%F0%9F%91%8D`), 200);
    expectStatus(await ann.put(`/api/messages/${id}/pin`), 200);
  }

  test.each(Object.keys(WIRES))("hears nothing of it over %s, live or by a replay", async wire => {
    const room = await privateRoom("joined");
    const [old, other] = [await say(ann, room, "said before"), await say(ann, room, "said before, too")];
    await add(room, late.id);
    const first = await say(ann, room, "the first");
    const live = await enter(wire, room);
    const everybody = await ann.socket([room]);
    await work(old.id, "a secret");
    expectStatus(await ann.delete(`/api/messages/${other.id}`), 200);
    const next = await say(ann, room, "the next");
    await work(first.id, "the first, edited");
    const last = await say(ann, room, "the last", { threadId: first.id });
    await everybody.event(room, last.offset);
    expect(everybody.events(room).map(({ kind }) => kind)).toEqual([
      ...["edit", "reaction", "pin", "delete", "message"],
      ...["edit", "reaction", "pin", "message"],
    ]);

    const again = await enter(wire, room, first);
    for (const ear of [live, again]) {
      await hears(ear, "the last");
      for (const text of ["the next", "the first, edited", first.id]) expect(ear.told()).toContain(text);
      for (const secret of [old.id, other.id, "secret", "said before"]) expect(ear.told()).not.toContain(secret);
    }
    // He has every offset all the same, and goes on from any.
    const resumed = await late.socket({ [room]: first.offset });
    await resumed.event(room, last.offset);
    const kinds = ["hidden", "hidden", "hidden", "hidden", "message", "edit", "reaction", "pin", "message"];
    expect(resumed.events(room).map(({ kind }) => kind)).toEqual(kinds);
    expect(resumed.events(room)[0]).toEqual({ t: "event", room, offset: first.offset + 1, kind: "hidden", data: {} });
    const middle = await late.socket({ [room]: next.offset - 2 });
    await middle.event(room, last.offset);
    expect(middle.events(room).map(({ kind }) => kind)).toEqual(kinds.slice(3));
    expect(middle.all("reset")).toEqual([]);
  });

  test("is a guest until he becomes a member: from then on he is told of all there is", async () => {
    const room = await privateRoom("all");
    const old = await say(ann, room, "said before");
    await add(room, late.id, "guest");
    const socket = await late.socket([room]);
    await work(old.id, "not yet");
    await add(room, late.id);
    const { offset } = await say(ann, room, "now");
    await work(old.id, "for you, too");
    await socket.event(room, offset + 1);
    expect(socket.events(room).map(({ kind }) => kind)).toEqual([
      ...["hidden", "hidden", "hidden", "member", "message"],
      ...["edit"],
    ]);
    expect(socket.all("reset")).toEqual([]);
  });
});
