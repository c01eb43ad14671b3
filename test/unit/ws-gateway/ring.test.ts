import { newId } from "../../../services/core/ids";
import { eventFrame } from "../../../services/core/protocol";
import { Ring } from "../../../services/ws-gateway/ring";

test("bytes that a ring keeps keep no other memory alive", () => {
  const room = newId();
  const ring = new Ring(({ offset, kind, data }) => eventFrame(room, offset, kind, data));
  const datas = ['{"text":"plain"}', '{"text":"κόσμε 😀"}', "{}"];
  datas.forEach((data, at) => ring.push({ offset: at + 1, seq: at + 1, kind: "message", data }, 0));
  const kept = ring.after(0)?.map(({ bytes }) => bytes) ?? [];
  expect(kept.map(String)).toEqual(datas.map((data, at) => eventFrame(room, at + 1, "message", data)));
  expect(kept.map(({ buffer }) => buffer.byteLength)).toEqual(kept.map(({ length }) => length));
});

test("what has left the log is in no ring, nor what a change of it showed", () => {
  const ring = new Ring(({ offset, kind, data }) => eventFrame("room", offset, kind, data));
  for (const offset of [1, 2, 3]) ring.push({ offset, seq: offset, kind: "message", data: `{"text":"${offset}"}` }, 0);
  const target = { offset: 1, data: '{"text":"secret"}' };
  ring.push({ offset: 4, seq: 3, kind: "edit", data: target.data, target }, 0);
  ring.push({ offset: 5, seq: 3, kind: "reaction", data: '{"on":true}', target }, 0);
  ring.leave(3);
  expect(ring.after(1)).toBeNull();
  expect(ring.after(2)?.map(({ event }) => [event.offset, event.data])).toEqual([
    [3, '{"text":"3"}'],
    [4, "{}"],
    [5, '{"on":true}'],
  ]);
  expect(JSON.stringify(ring)).not.toContain("secret");
  const empty = new Ring(() => "");
  empty.leave(9);
  ring.leave(9);
  expect([ring.size, empty.size]).toEqual([
    { entries: 0, bytes: 0 },
    { entries: 0, bytes: 0 },
  ]);
});
