import fc from "fast-check";
import { decodePacket, encodePacket } from "../../../../mixins/nats/packet";
import type { RoomEvent, RoomPacket } from "../../../../services/core/room-bus";

const ROOM = "0197a1b2-0000-7000-8000-000000000001";
const json = fc.jsonValue().map(value => JSON.stringify(value));
const offset = fc.integer({ min: 1, max: 2 ** 40 });
const event = fc.record(
  {
    offset,
    seq: fc.nat(),
    kind: fc.constantFrom("message", "edit", "delete", "reaction", "member", "room", "pin"),
    data: json,
    target: fc.record({ offset, data: json }),
    member: fc.record({ user: fc.string(), change: fc.constantFrom("join", "leave", "remove", "ban", "role") }),
  },
  { requiredKeys: ["offset", "seq", "kind", "data"] },
) as fc.Arbitrary<RoomEvent>;

const roundTrip = (packet: RoomPacket, maxBytes = 1e6) =>
  encodePacket(packet, maxBytes).map(part => decodePacket(ROOM, part));

describe("packets of the room bus", () => {
  it("arrive as they were sent, whatever texts are in them", () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 20 }), events => {
        expect(roundTrip({ type: "events", room: ROOM, events })).toEqual([{ type: "events", room: ROOM, events }]);
      }),
    );
    for (const data of ['"line\\nbreak"', '"\u2028 \u{1F600} é"', "null"]) {
      const events: RoomEvent[] = [{ offset: 1, seq: 1, kind: "message", data }];
      expect(roundTrip({ type: "events", room: ROOM, events })).toEqual([{ type: "events", room: ROOM, events }]);
    }
  });

  it("are split at the bound between entries, in order, and an entry above it goes alone", () => {
    const events = Array.from({ length: 10 }, (_, index): RoomEvent => ({
      offset: index + 1,
      seq: index + 1,
      kind: "message",
      data: JSON.stringify("x".repeat(index === 4 ? 5_000 : 300)),
    }));
    const parts = roundTrip({ type: "events", room: ROOM, events }, 1_200);
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.flatMap(part => (part?.type === "events" ? part.events : []))).toEqual(events);
    expect(
      parts.some(part => part?.type === "events" && part.events.length === 1 && part.events[0]?.offset === 5),
    ).toBe(true);
  });

  it("carry signals, heads and floors", () => {
    const floor: RoomPacket = { type: "floor", room: ROOM, floor: 5 };
    expect(roundTrip(floor)).toEqual([floor]);
    const signal: RoomPacket = { type: "signal", room: ROOM, signal: { type: "typing", user: "u", on: true } };
    const head: RoomPacket = { type: "head", room: ROOM, head: { offset: 7, seq: 5 } };
    expect(roundTrip(signal)).toEqual([signal]);
    expect(roundTrip(head)).toEqual([head]);
  });

  it("are dropped when they are not of this version, cut off, or not packets at all", () => {
    const whole = encodePacket(
      {
        type: "events",
        room: ROOM,
        events: [{ offset: 1, seq: 1, kind: "edit", data: "1", target: { offset: 1, data: "2" } }],
      },
      1e6,
    )[0] as Buffer;
    expect(decodePacket(ROOM, whole)).not.toBeNull();
    for (const bytes of [
      whole.subarray(0, whole.length - 2),
      Buffer.from(whole.toString().replace("[1,", "[2,")),
      Buffer.from(`${whole.toString()}\nmore`),
      Buffer.from("{}"),
      Buffer.from("null"),
      Buffer.from('[1,"other"]'),
      Buffer.from([0xff, 0xfe]),
      Buffer.alloc(0),
    ])
      expect(decodePacket(ROOM, bytes)).toBeNull();
  });
});
