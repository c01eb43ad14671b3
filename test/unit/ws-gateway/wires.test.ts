import { HttpTransport } from "../../../services/ws-gateway/wires/http/http.transport";
import { LocalTopics } from "../../../services/ws-gateway/wires/http/local-topics";
import type { Socket } from "../../../services/ws-gateway/engine";
import { eventFrame } from "../../../services/core/protocol";
import { Ring } from "../../../services/ws-gateway/ring";
import { WireSocket } from "../../../services/ws-gateway/wires/wire-socket";
import { Topics } from "../../../services/ws-gateway/wires/topics";
import type { Told, Wire } from "../../../services/ws-gateway/wires/wire";

/** Long enough never to be waited for in full. */
const LONG = 60_000;

describe("a connection that consists of requests", () => {
  function transport() {
    const closed: number[] = [];
    let drained = 0;
    const topics = new LocalTopics();
    const one = new HttpTransport("127.0.0.1", topics, () => 0, {
      closed: code => void closed.push(code),
      drained: () => void drained++,
      slow: () => one.end(4008),
      lost: () => one.end(4013),
    });
    /** Takes, and says that it went on its way. */
    const take = async (wait: number): Promise<string[] | null> => {
      const taken = await one.take(wait);
      if (taken) one.received(taken.number);
      return taken?.texts ?? null;
    };
    return { one, take, topics, closed, drained: () => drained };
  }

  it("answers the first at once, and the next when there is something", async () => {
    const { one, take, drained } = transport();
    expect(await take(LONG)).toEqual([]);
    const waiting = take(LONG);
    one.send("a");
    one.send("b");
    expect(await waiting).toEqual(["a", "b"]);
    expect(drained()).toBe(1);
    one.send("c");
    expect(await take(LONG)).toEqual(["c"]);
  });

  it("ends with who asks for more where nobody says that the last went on its way", async () => {
    const { one, closed } = transport();
    await one.take(0);
    one.send("a");
    const lost = await one.take(0);
    one.send("b");
    const next = one.take(LONG);
    one.send("c");
    expect((await next)?.texts).toEqual([]);
    expect(closed).toEqual([4013]);
    expect(lost?.texts).toEqual(["a"]);
  });

  it("waits a moment for the word that the last went on its way", async () => {
    const { one, closed } = transport();
    await one.take(0);
    one.send("a");
    const last = await one.take(0);
    one.send("b");
    const [replaced, next] = [one.take(LONG), one.take(LONG)];
    one.received(last?.number ?? 0);
    expect(await replaced).toBeNull();
    expect((await next)?.texts).toEqual(["b"]);
    expect(closed).toEqual([]);
  });

  it("lets who asks later take the place of who waits, and loses nothing by it", async () => {
    const { one, take } = transport();
    await take(0);
    const first = take(LONG);
    const second = take(LONG);
    expect(await first).toBeNull();
    one.send("a");
    const third = take(LONG);
    expect([...((await second) ?? []), ...((await third) ?? [])]).toEqual(["a"]);
  });

  it("ends who does not fetch what waits, and still gives him the last words", async () => {
    const { one, topics, closed } = transport();
    one.subscribe("room");
    for (let n = 0; n < 6; n++) topics.publish("room", "x".repeat(100_000));
    expect(closed).toEqual([4008]);
    topics.publish("room", "after the end");
    expect((await one.take(0))?.texts.length).toBe(6);
    expect(one.closed).toBe(true);
  });
});

describe("what happens in a room", () => {
  it("is encoded once for each wire that is in use there, however many read it", () => {
    const encoded: [string, Told][] = [];
    const wire = (name: Wire["name"]): Wire => ({
      name,
      encode: told => (encoded.push([name, told]), [`${name} text`]),
      session: () => ({ text: () => undefined, closing: () => null }),
    });
    const [signalr, socketio] = [wire("signalr"), wire("socketio")];
    const published: [string, string][] = [];
    const topics = new Topics((topic, text) => void published.push([topic, text]));
    const event = JSON.stringify({
      t: "event",
      room: "r",
      offset: 1,
      kind: "message",
      data: { senderId: "a", seq: 1 },
    });

    topics.publish("r", event);
    expect(encoded).toEqual([]);
    expect(published).toEqual([["r", event]]);

    const names = [signalr, signalr, signalr, socketio].map(one => topics.enter(one, "r"));
    topics.publish("r", event);
    expect(encoded.map(([name]) => name)).toEqual(["signalr", "socketio"]);
    expect(encoded[0]?.[1].events).toEqual([{ name: "message", channelId: "r", message: { senderId: "a", seq: 1 } }]);
    expect(published.slice(1)).toEqual([
      ["r", event],
      [names[0], "signalr text"],
      [names[3], "socketio text"],
    ]);

    topics.leave(socketio, "r");
    topics.direct("r", ["a", "b"]);
    topics.publish("r", event);
    expect(encoded.slice(2).map(([name, { events }]) => [name, events])).toEqual([
      ["signalr", [{ name: "private-message", targetUserId: "b", message: { senderId: "a", seq: 1 } }]],
    ]);
    for (let n = 0; n < 3; n++) topics.leave(signalr, "r");
    topics.publish("r", event);
    expect(encoded.length).toBe(3);
  });

  it("is encoded once for each wire also for those who were away, however many come back", () => {
    const encoded: Told[] = [];
    const sent: string[] = [];
    const wire: Wire = {
      name: "signalr",
      encode: told => (encoded.push(told), ["text"]),
      session: () => ({ text: () => undefined, closing: () => null }),
    };
    const topics = new Topics(() => undefined);
    const inside = { ask: () => undefined, heeds: () => true, throttle: () => undefined };
    const transport = { send: (text: string) => void sent.push(text), cork: (write: () => void) => write() };
    const sockets = Array.from(
      { length: 3 },
      () => new WireSocket(wire, "", "", transport as unknown as Socket, topics, inside),
    );
    const ring = new Ring(({ offset, kind, data }) => eventFrame("r", offset, kind, data));
    for (const offset of [1, 2])
      ring.push({ offset, seq: offset, kind: "message", data: `{"seq":${offset},"senderId":"a"}` }, 0);
    const offsets: unknown[] = [];
    for (const socket of sockets) {
      socket.heard = ({ offset }) => void offsets.push(offset);
      socket.entries("r", ring.after(0) ?? []);
    }
    expect(sent).toEqual(Array(6).fill("text"));
    expect(offsets).toEqual([1, 2, 1, 2, 1, 2]);
    expect(encoded.flatMap(({ events }) => events)).toEqual(
      [1, 2].map(seq => ({ name: "message", channelId: "r", message: { seq, senderId: "a" } })),
    );
    // To the two of a direct room it is something else.
    sockets[0]?.direct("r", ["a", "b"]);
    sockets[0]?.entries("r", ring.after(1) ?? []);
    expect(encoded.at(-1)?.events).toMatchObject([{ name: "private-message", targetUserId: "b" }]);
  });
});
