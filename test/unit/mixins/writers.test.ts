import { Errors, type ServiceBroker } from "moleculer";
import { RoomWriters } from "../../../mixins/writers";
import type { AppendAnswer, AppendRequest, Turn } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import { Rendezvous } from "../../../services/core/rendezvous";
import { codeOf, identity, startNode, stopNode } from "../../support/broker";
import { eventually } from "../../support/eventually";

const user = identity();
const send = (room: string, text = "hello"): AppendRequest => ({ room, user, entry: { op: "send", text } });
const textOf = ({ entry }: AppendRequest): string => ("text" in entry ? entry.text : "");
const ok = (entry: AppendRequest): AppendAnswer => ({
  ok: true,
  offset: 1,
  seq: 1,
  data: JSON.stringify(textOf(entry)),
});
const codes = (answers: AppendAnswer[]): string[] => answers.map(answer => (answer.ok ? "ok" : answer.error.code));

interface Writer {
  broker: ServiceBroker;
  /** The texts of every call, in order. */
  calls: string[][];
  /** The numbers of those calls in their line, and the lines. */
  turns: Turn[];
  /** Lets calls go on that were told to wait. */
  release(): void;
}

type Answer = (entries: AppendRequest[]) => Promise<AppendAnswer[]> | AppendAnswer[];

/** A node whose service `messages` answers as it is told. */
async function writer(cluster: string, answer: Answer | "wait" = entries => entries.map(ok)): Promise<Writer> {
  const calls: string[][] = [];
  const turns: Turn[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>(resolve => (release = resolve));
  const service = {
    name: "messages",
    actions: {
      append: {
        auth: "internal",
        visibility: "public",
        async handler({ params }: { params: { entries: AppendRequest[] } & Turn }) {
          turns.push({ line: params.line, n: params.n, after: params.after });
          calls.push(params.entries.map(textOf));
          if (answer !== "wait") return answer(params.entries);
          await released;
          return params.entries.map(ok);
        },
      },
    },
  };
  return { broker: await startNode({ services: [service], cluster }), calls, turns, release: () => release() };
}

async function door(cluster: string, nodes: number): Promise<{ door: ServiceBroker; writers: RoomWriters }> {
  const broker = await startNode({ services: [], cluster });
  const writers = new RoomWriters(broker);
  await eventually("the writers are known", () => writers.nodes.length === nodes);
  return { door: broker, writers };
}

/** A room that goes to this node among those. */
function roomOf(node: ServiceBroker, ...all: ServiceBroker[]): string {
  const hash = new Rendezvous(all.map(({ nodeID }) => nodeID));
  for (;;) {
    const room = newId();
    if (hash.of(room) === node.nodeID) return room;
  }
}

describe("the way to the writer of a room", () => {
  it("takes the entries of a tick to each writer in one call, and gives the answers in order", async () => {
    const cluster = newId();
    const [one, two] = [await writer(cluster), await writer(cluster)];
    const { writers } = await door(cluster, 2);
    const [a, b] = [roomOf(one.broker, one.broker, two.broker), roomOf(two.broker, one.broker, two.broker)];
    const answers = await Promise.all([
      writers.append([send(a, "1"), send(b, "2"), send(a, "3")]),
      writers.append([send(b, "4")]),
    ]);
    expect(answers.flat().map(answer => answer.ok && answer.data)).toEqual(['"1"', '"2"', '"3"', '"4"']);
    expect([one.calls, two.calls]).toEqual([[["1", "3"]], [["2", "4"]]]);
    expect(writers.size).toBe(0);
  });

  it("counts the calls to each writer, and anew for a writer that was away", async () => {
    const cluster = newId();
    const [one, two] = [await writer(cluster), await writer(cluster)];
    const { door: gateway, writers } = await door(cluster, 2);
    const rooms = [roomOf(one.broker, one.broker, two.broker), roomOf(two.broker, one.broker, two.broker)];
    for (let n = 0; n < 3; n++) await writers.append(rooms.map(room => send(room)));
    gateway.registry.nodes.disconnected(one.broker.nodeID, true);
    await eventually("one is away", () => writers.nodes.length === 1);
    await gateway.transit?.discoverNode(one.broker.nodeID);
    await eventually("it is back", () => writers.nodes.length === 2);
    await writers.append(rooms.map(room => send(room)));
    expect(one.turns.map(({ n }) => n)).toEqual([1, 2, 3, 1]);
    expect(two.turns.map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    const lines = [...one.turns, ...two.turns].map(({ line }) => line);
    expect(new Set(lines).size).toBe(3);
  });

  it("names the calls under way with entries of the same rooms, which are to begin before", async () => {
    const cluster = newId();
    const one = await writer(cluster, "wait");
    const { writers } = await door(cluster, 1);
    const [a, b, c] = [newId(), newId(), newId()];
    const sent: Promise<unknown>[] = [];
    for (const rooms of [[a], [b], [a, a], [c], [a, b]]) {
      sent.push(writers.append(rooms.map(room => send(room))));
      await eventually("it is under way", () => one.calls.length === sent.length);
    }
    one.release();
    await Promise.all(sent);
    await writers.append([send(a), send(b)]);
    expect(one.turns.map(({ after }) => after)).toEqual([[], [], [1], [], [1, 2, 3], []]);
  });

  it("divides what is too much for one call, in order", async () => {
    const cluster = newId();
    const one = await writer(cluster);
    const { writers } = await door(cluster, 1);
    const room = newId();
    const small = Array.from({ length: 300 }, (_, n) => String(n));
    const large = Array.from({ length: 100 }, () => "\u0001".repeat(4_000));
    expect(new Set(codes(await writers.append(small.map(text => send(room, text)))))).toEqual(new Set(["ok"]));
    expect(one.calls.map(({ length }) => length)).toEqual([256, 44]);
    expect(one.calls.flat()).toEqual(small);
    await writers.append(large.map(text => send(room, text)));
    for (const call of one.calls) expect(Buffer.byteLength(JSON.stringify(call))).toBeLessThan(800 * 1024);
  });

  it("says UNAVAILABLE, surely not sent, while there is no writer", async () => {
    const { writers } = await door(newId(), 0);
    expect(codes(await writers.append([send(newId())]))).toEqual(["UNAVAILABLE"]);
  });

  it("says UNKNOWN_OUTCOME for what was under way to a writer that is lost, and for nothing else", async () => {
    const cluster = newId();
    const [lost, alive] = [await writer(cluster, "wait"), await writer(cluster)];
    const { door: gateway, writers } = await door(cluster, 2);
    const rooms = [roomOf(lost.broker, lost.broker, alive.broker), roomOf(alive.broker, lost.broker, alive.broker)];
    const answers = writers.append(rooms.map(room => send(room)));
    await eventually("it is under way", () => lost.calls.length === 1);
    gateway.registry.nodes.disconnected(lost.broker.nodeID, true);
    expect(codes(await answers)).toEqual(["UNKNOWN_OUTCOME", "ok"]);
    expect(codes(await writers.append(rooms.map(room => send(room, "again"))))).toEqual(["ok", "ok"]);
    expect(alive.calls.at(-1)).toEqual(["again", "again"]);
    lost.release();
  });

  it.each([
    [
      "UNAVAILABLE",
      "has too much to do",
      () => new Errors.QueueIsFullError({ action: "messages.append", nodeID: "n" } as never),
    ],
    [
      "UNAVAILABLE",
      "has just stopped the service",
      () => new Errors.ServiceNotFoundError({ action: "messages.append" }),
    ],
    ["UNKNOWN_OUTCOME", "fails", () => new Error("boom")],
  ])("says %s when the writer %s", async (code, _what, error) => {
    const cluster = newId();
    await writer(cluster, () => Promise.reject(error()));
    const { writers } = await door(cluster, 1);
    expect(codes(await writers.append([send(newId())]))).toEqual([code]);
  });

  it("gives a room to another writer only when nothing of it is under way, and keeps the order", async () => {
    const cluster = newId();
    const old = await writer(cluster, "wait");
    const { writers } = await door(cluster, 1);
    const changes: string[][] = [];
    writers.onChange((before, now) => changes.push([...before.nodes], [...now.nodes]));
    const all = Array.from({ length: 40 }, () => newId());
    const first = writers.append(all.map(room => send(room, `first ${room}`)));
    await eventually("it is under way", () => old.calls.length === 1);
    const young = await writer(cluster);
    await eventually("both are known", () => writers.nodes.length === 2);
    expect(changes).toEqual([[old.broker.nodeID], [old.broker.nodeID, young.broker.nodeID].sort()]);
    const moved = all.filter(room => writers.writerOf(room) === young.broker.nodeID);
    expect(moved.length).toBeGreaterThan(0);
    const second = writers.append(moved.flatMap(room => [send(room, `second ${room}`), send(room, `third ${room}`)]));
    // What is of no such room passes by.
    expect(codes(await writers.append([send(roomOf(young.broker, old.broker, young.broker), "other")]))).toEqual([
      "ok",
    ]);
    expect(young.calls).toEqual([["other"]]);
    old.release();
    expect(new Set(codes([...(await first), ...(await second)]))).toEqual(new Set(["ok"]));
    expect(young.calls.slice(1).flat()).toEqual(moved.flatMap(room => [`second ${room}`, `third ${room}`]));
    expect(writers.size).toBe(0);
  });

  it("does not let entries wait for ever behind a writer that hangs: they are surely not sent", async () => {
    const cluster = newId();
    const old = await writer(cluster, "wait");
    const { writers } = await door(cluster, 1);
    const rooms = Array.from({ length: 40 }, () => newId());
    const first = writers.append(rooms.map(room => send(room, "first")));
    await eventually("it is under way", () => old.calls.length === 1);
    const young = await writer(cluster);
    await eventually("both are known", () => writers.nodes.length === 2);
    const moved = rooms.filter(room => writers.writerOf(room) === young.broker.nodeID);
    expect(codes(await writers.append(moved.map(room => send(room, "second"))))).toEqual(
      moved.map(() => "UNAVAILABLE"),
    );
    expect([old.calls.length, young.calls.length]).toEqual([1, 0]);
    old.release();
    await first;
    await stopNode(old.broker);
  });

  it("has at most 10,000 entries under way: one more is UNAVAILABLE, and reaches no writer", async () => {
    const cluster = newId();
    const one = await writer(cluster, "wait");
    const { writers } = await door(cluster, 1);
    const room = newId();
    const taken = writers.append(Array.from({ length: 10_000 }, (_, n) => send(room, String(n))));
    expect(writers.size).toBe(10_000);
    expect(codes(await writers.append([send(room, "too much"), send(newId(), "too much")]))).toEqual([
      "UNAVAILABLE",
      "UNAVAILABLE",
    ]);
    one.release();
    expect(new Set(codes(await taken))).toEqual(new Set(["ok"]));
    expect(one.calls.flat()).toEqual(Array.from({ length: 10_000 }, (_, n) => String(n)));
    await eventually("there is room again", async () => codes(await writers.append([send(room)]))[0] === "ok");
  });

  it("listens to the broker no more once it is closed", async () => {
    const cluster = newId();
    const one = await writer(cluster);
    const { door: gateway, writers } = await door(cluster, 1);
    writers.close();
    await stopNode(one.broker);
    await eventually(
      "the node is gone",
      async () => (await codeOf(gateway.call("messages.append", {}))) !== "VALIDATION_ERROR",
    );
    expect(writers.nodes).toEqual([one.broker.nodeID]);
  });
});
