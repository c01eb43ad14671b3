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
