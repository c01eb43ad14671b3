import { absentNulls } from "../../../services/core/absent";

describe("null for what may be left out", () => {
  const strip = absentNulls({
    id: "string|min:1",
    name: "string|optional",
    topic: { type: "string", optional: true, nullable: true },
    note: "string|optional|nullable",
    either: [
      { type: "string", optional: true },
      { type: "number", optional: true },
    ],
    privacy: { type: "object", optional: true, props: { find: { type: "string", optional: true } } },
    items: { type: "array", items: { type: "object", props: { seq: { type: "number", optional: true } } } },
    rooms: {
      type: "record",
      key: "string",
      value: { type: "object", nullable: true, props: { level: "string|optional" } },
    },
    metadata: { type: "object", strict: false, optional: true, nullable: true },
  } as never);

  it("says what leaving it out says, at every depth", () => {
    expect(strip({ id: "1", name: null, either: null, privacy: null })).toEqual({ id: "1" });
    expect(strip({ privacy: { find: null, other: null } })).toEqual({ privacy: { other: null } });
    expect(strip({ items: [{ seq: null }, { seq: 1 }, 5] })).toEqual({ items: [{}, { seq: 1 }, 5] });
    expect(strip({ rooms: { a: { level: null }, b: null } })).toEqual({ rooms: { a: {}, b: null } });
  });

  it("stays where it means something, where a value is demanded, and where nobody knows", () => {
    const meant = { id: null, topic: null, note: null, metadata: { deep: null }, unknown: null };
    expect(strip(meant)).toBe(meant);
    for (const odd of [null, 5, "text", undefined]) expect(strip(odd)).toBe(odd);
    const own = Object.create({ name: null }) as object;
    expect(strip(own)).toBe(own);
  });

  it("leaves what it was given as it was", () => {
    const given = { name: null, privacy: { find: null } };
    expect(strip(given)).toEqual({ privacy: {} });
    expect(given).toEqual({ name: null, privacy: { find: null } });
  });
});
