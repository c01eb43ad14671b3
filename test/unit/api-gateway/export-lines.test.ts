import { roomLines } from "../../../services/api-gateway/export-lines";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { TestClock } from "../../support/broker";

interface Params {
  after: number;
  upTo: number;
  skip: number;
  limit: number;
}

const room = newId();
const facts = {
  id: room,
  kind: "channel",
  name: "town",
  isPrivate: false,
  createdBy: "",
  createdAt: "",
  memberCount: 0,
};
const told = { room: facts, visibleFrom: 0, versions: true, emails: false };

/** A room with so many messages, of which the second has 5,003 reactions; notes what is asked. */
function world(count: number, answers: Record<string, (params: Params) => unknown> = {}) {
  const asked: string[] = [];
  const fans = Array.from({ length: 5_003 }, (_, at) => ({ emoji: at < 2 ? "🎉" : "👍", user: `fan${at}` }));
  const message = (seq: number) => ({
    seq,
    data: JSON.stringify({ channelId: room, offset: seq, text: `m${seq}`, attachments: [] }),
    ...(seq === 2 && { cut: true as const }),
  });
  const all: Record<string, (params: Params) => unknown> = {
    "rooms.exported": () => told,
    "messages.heads": () => ({ epoch: "", heads: { [room]: { offset: count + 3, seq: count, floor: 1 } } }),
    "rooms.exportMembers": () => [],
    "messages.exportPage": ({ after, upTo, limit }) => {
      const seqs = Array.from({ length: Math.min(limit, upTo - after) });
      return { items: seqs.map((_, at) => message(after + at + 1)), more: seqs.length === limit };
    },
    "messages.exportReactions": ({ skip, limit }) => fans.slice(skip, skip + limit),
    ...answers,
  };
  const via = {
    call: (name: string, params?: unknown) => {
      asked.push(name);
      return Promise.resolve().then(() => (all[name] as (params: unknown) => unknown)(params));
    },
  };
  return { via, asked };
}

const parsed = (line: string | void): Record<string, unknown> => JSON.parse(line as string) as Record<string, unknown>;
const request = { id: room, links: false, user: newId() };

describe("the lines of an export", () => {
  it("go over pages without a gap, and name everybody who reacted", async () => {
    const lines: Record<string, unknown>[] = [];
    for await (const line of roomLines(world(250).via, new TestClock(), request)) lines.push(parsed(line));
    const messages = lines.filter(({ type }) => type === "message");
    expect(messages.map(({ text }) => text)).toEqual(Array.from({ length: 250 }, (_, at) => `m${at + 1}`));
    expect(messages[1]?.reactions).toEqual([
      { emoji: "🎉", count: 2, users: ["fan0", "fan1"] },
      { emoji: "👍", count: 5_001, users: expect.arrayContaining(["fan2", "fan5002"]) },
    ]);
    expect(lines.at(-1)).toEqual({ type: "end", messages: 250, members: 0 });
  });

  it.each([
    [true, 5],
    [false, 2],
  ])(
    "have what messages said before, of all where that may be told (%s), else of one's own",
    async (versions, count) => {
      const page = [request.user, newId()].map((senderId, at) => {
        const message = { channelId: room, senderId, offset: at + 1, text: "now", attachments: [], editedAt: "later" };
        return { seq: at + 1, data: JSON.stringify(message) };
      });
      // Of each message as many as its offset says, and one more; one a page.
      const { via } = world(2, {
        "rooms.exported": () => ({ ...told, versions }),
        "messages.exportPage": () => ({ items: page, more: false }),
        "messages.exportVersions": params => {
          const { offset, skip } = params as Params & { offset: number };
          return { items: [JSON.stringify({ text: `v${skip + 1}`, at: "then" })], more: skip < offset };
        },
      });
      const found: unknown[] = [];
      for await (const line of roomLines(via, new TestClock(), request))
        found.push(...((parsed(line).versions as { text: string }[] | undefined) ?? []).map(({ text }) => text));
      expect(found).toEqual(["v1", "v2", "v1", "v2", "v3"].slice(0, count));
    },
  );

  it("ask for the next page only when the last one was taken", async () => {
    const { via, asked } = world(1_000);
    const lines = roomLines(via, new TestClock(), request);
    for (let n = 0; n < 50; n++) await lines.next();
    expect(asked.filter(name => name === "messages.exportPage")).toHaveLength(1);
    await lines.return(undefined);
  });

  it("end without an end line when the right to export is lost on the way", async () => {
    const clock = new TestClock();
    let owner = true;
    const { via } = world(1_000, {
      "rooms.exported": () => {
        if (!owner) throw new RookeryError("FORBIDDEN");
        return told;
      },
    });
    const lines = roomLines(via, clock, request);
    await lines.next();
    owner = false;
    clock.advance(60_000);
    const rest = async (): Promise<void> => {
      for await (const line of lines) expect(parsed(line).type).toBe("message");
    };
    await expect(rest()).rejects.toMatchObject({ type: "FORBIDDEN" });
  });

  it("outlast a node that is away for a moment", async () => {
    let failures = 2;
    const { via } = world(3, {
      "rooms.exportMembers": () => {
        if (failures-- > 0) throw new RookeryError("UNAVAILABLE");
        return [];
      },
    });
    const types: unknown[] = [];
    for await (const line of roomLines(via, new TestClock(), request)) types.push(parsed(line).type);
    expect(types).toEqual(["export", "message", "message", "message", "end"]);
  });
});
