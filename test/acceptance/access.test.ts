import { say, Stage, type Client } from "../support/client";
import { startServer } from "../support/server";

type Who = "nobody" | "stranger" | "member" | "moderator" | "owner" | "Moderator" | "Admin";
type Kind = "public" | "private" | "direct";

/** Who may do what only a socket can; the rest stands in docs/permissions.md. 0: it succeeds. */
const OK = 0;
const [SIGN_IN, FORBIDDEN, NOT_FOUND] = [401, 403, 404];

/** Rows: what is done. Columns: to whom, in the order of WHO. */
const WHO: readonly Who[] = ["nobody", "stranger", "member", "moderator", "owner", "Moderator", "Admin"];
const MATRIX: Record<Kind, Record<string, number[]>> = {
  public: {
    subscribe: [SIGN_IN, OK, OK, OK, OK, OK, OK],
    type: [SIGN_IN, FORBIDDEN, OK, OK, OK, FORBIDDEN, FORBIDDEN],
  },
  private: {
    subscribe: [SIGN_IN, NOT_FOUND, OK, OK, OK, NOT_FOUND, NOT_FOUND],
    type: [SIGN_IN, NOT_FOUND, OK, OK, OK, NOT_FOUND, NOT_FOUND],
  },
  direct: {
    subscribe: [SIGN_IN, NOT_FOUND, OK, OK, OK, NOT_FOUND, NOT_FOUND],
    type: [SIGN_IN, NOT_FOUND, OK, OK, OK, NOT_FOUND, NOT_FOUND],
  },
};

describe("access", () => {
  let stage: Stage;
  let people: Record<Exclude<Who, "nobody">, Client>;
  let writer: Client;
  const rooms = {} as Record<Kind, string>;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    const [stranger, member, moderator, second, owner, Moderator, Admin] = await Promise.all([
      stage.user("stranger"),
      stage.user("member"),
      stage.user("moderator"),
      stage.user("writer"),
      stage.withRoles("owner", ["User", "Moderator"]),
      stage.withRoles("global", ["User", "Moderator"]),
      stage.withRoles("chief", ["User", "Admin"]),
    ]);
    people = { stranger, member, moderator, owner, Moderator, Admin };
    writer = second;
    for (const kind of ["public", "private"] as const) {
      rooms[kind] = await stage.channel([member, writer], { owner, isPrivate: kind === "private" });
      await owner.post(`/api/channels/${rooms[kind]}/members`, { userId: moderator.id, role: "moderator" });
    }
    rooms.direct = await stage.direct(member, writer);
  });
  afterAll(() => stage.end());

  /** In a direct room the three that have roles elsewhere are its one other person. */
  const client = (who: Who, kind: Kind): Client | null => {
    if (who === "nobody") return null;
    return kind === "direct" && ["moderator", "owner"].includes(who) ? people.member : people[who];
  };

  /** Status of a frame's answer, as REST would say it. */
  const asked = async (user: Client | null, frame: Record<string, unknown>): Promise<number> => {
    const socket = user ? await user.socket() : await people.member.connect();
    const answer = await socket.request(frame);
    const [state] = Object.values<{ state: string; code?: string }>(answer.rooms ?? {});
    await socket.close();
    if (state?.state === "denied") return { NOT_FOUND, FORBIDDEN }[state.code as "NOT_FOUND" | "FORBIDDEN"];
    return answer.t === "err" ? (answer.status as number) : OK;
  };

  const did: Record<string, (user: Client | null, kind: Kind) => Promise<number>> = {
    subscribe: (user, kind) => asked(user, { t: "sub", rooms: [rooms[kind]] }),
    type: (user, kind) => asked(user, { t: "typing", room: rooms[kind], on: false }),
  };

  const rows = Object.entries(MATRIX).flatMap(([kind, deeds]) =>
    Object.entries(deeds).map(([deed, statuses]) => [kind as Kind, deed, statuses] as const),
  );
  test.each(rows)("in a %s room: who may %s", async (kind, deed, statuses) => {
    const seen: [Who, number][] = [];
    for (const who of WHO) seen.push([who, (await did[deed]?.(client(who, kind), kind)) ?? NaN]);
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(WHO.map((who, n) => [who, statuses[n]])));
  });

  test("a private room that exists and one that does not give the same answer, but for nothing", async () => {
    const missing = "01a1fc87-9015-75b5-9683-ef4249e15e36";
    for (const below of ["", "/messages", "/members"]) {
      const [hidden, none] = await Promise.all(
        [rooms.private, missing].map(id => people.stranger.get(`/api/channels/${id}${below}`)),
      );
      expect(hidden?.body).toEqual(none?.body);
    }
  });

  test("nothing of a private room reaches a stranger's socket", async () => {
    const socket = await people.stranger.socket();
    await socket.sub([rooms.private]);
    await say(writer, rooms.private, "hidden words");
    for (const frame of [
      { t: "history", room: rooms.private },
      { t: "send", room: rooms.private, text: "x" },
      { t: "read", room: rooms.private, seq: 1 },
      { t: "typing", room: rooms.private },
      { t: "call", method: "rooms.get", params: { id: rooms.private } },
      { t: "call", method: "messages.history", params: { id: rooms.private } },
    ])
      expect(await socket.request(frame)).toMatchObject({ t: "err", code: "NOT_FOUND" });
    expect(socket.texts.join()).not.toContain("hidden words");
  });

  test("what is no action at all cannot be called (S22: REST, native)", async () => {
    const socket = await people.Admin.socket();
    for (const method of ["$node.list", "$node.services", "constructor", "__proto__"])
      expect(await socket.request({ t: "call", method, params: {} })).toMatchObject({ t: "err", code: "NOT_FOUND" });
    for (const url of ["/api/$node/list", "/api/~node/list", "/$node/list"])
      expect((await people.Admin.get(url)).status).toBe(404);
  });
});
