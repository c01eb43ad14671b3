import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer } from "../support/server";

describe("preferences", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;

  /** Nobody befriends him, and he changes nothing. */
  let carl: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    carl = await stage.user("carl");
  });
  const newPeople = async (): Promise<void> => {
    [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
  };
  afterAll(() => stage.end());

  const set = async (body: object, client = ann) =>
    expectStatus(await client.patch("/api/users/me/preferences", body), 200).body;
  const befriend = async () => {
    expectStatus(await ann.put(`/api/friends/${bob.id}`), 200);
    expectStatus(await bob.put(`/api/friends/${ann.id}`), 200);
  };
  /** A room of few people. */
  const meet = async () =>
    expectStatus(await stage.admin.post("/api/conversations", { type: "group", members: [ann.id, bob.id] }), 201);

  test("begin with what holds for everybody, change part by part, and are told to one's own devices", async () => {
    await newPeople();
    const room = await stage.channel([ann]);
    const [one, other] = [await ann.socket(), await bob.socket()];
    const before = expectStatus(await ann.get("/api/users/me/preferences"), 200).body;
    expect(before).toEqual({
      notifications: { default: "all", rooms: {}, email: true, push: true },
      privacy: { find: "everyone", write: "everyone", presence: "everyone", sendReadReceipts: true },
      revision: 0,
    });
    await set({ language: "de-at", timeZone: "Europe/Vienna", ui: { theme: "dark", list: [1, { a: null }] } });
    const mutedUntil = "2030-01-01T00:00:00.000Z";
    await set({ notifications: { default: "mentions", rooms: { [room]: { level: "none" } } } });
    await set({ notifications: { rooms: { [room]: { mutedUntil } }, doNotDisturb: { from: "22:00", to: "07:30" } } });
    const after = await set({ privacy: { presence: "contacts" } });
    expect(after).toEqual({
      language: "de-AT",
      timeZone: "Europe/Vienna",
      notifications: {
        default: "mentions",
        rooms: { [room]: { level: "none", mutedUntil } },
        doNotDisturb: { from: "22:00", to: "07:30" },
        email: true,
        push: true,
      },
      privacy: { ...before.privacy, presence: "contacts" },
      ui: { theme: "dark", list: [1, { a: null }] },
      revision: 4,
    });
    expect(await set({ language: "de-AT" })).toEqual(after);
    expect((await ann.get("/api/users/me/preferences")).body).toEqual(after);
    await one.until("four notes", () => one.notes.filter(({ kind }) => kind === "preferences").length === 4);
    expect(one.notes.filter(({ kind }) => kind === "preferences").map(({ data }) => data.revision)).toEqual([
      1, 2, 3, 4,
    ]);
    expect(other.notes).toEqual([]);
    const cleared = await set({
      language: null,
      ui: null,
      notifications: { doNotDisturb: null, rooms: { [room]: null } },
    });
    expect(cleared).toMatchObject({ notifications: { rooms: {} } });
    for (const name of ["language", "ui"]) expect(cleared).not.toHaveProperty(name);
    expect(cleared.notifications).not.toHaveProperty("doNotDisturb");
  });

  test.each([
    ["eUROPE/berlin", "Europe/Berlin"],
    ["utc", "UTC"],
    ["Asia/Kolkata", "Asia/Kolkata"],
  ])("a time zone given as %s is kept as %s", async (timeZone, kept) => {
    expect((await carl.patch("/api/users/me/preferences", { timeZone })).body.timeZone).toBe(kept);
  });

  test.each<[string, unknown]>([
    ["an unknown field", { colour: "red" }],
    ["an unknown field inside", { privacy: { everything: "nobody" } }],
    ["a language that is none", { language: "not a language" }],
    ["a time zone that is none", { timeZone: "Mars/Olympus" }],
    ["an offset for a time zone", { timeZone: "+01:00" }],
    ["an audience that is none", { privacy: { find: "friends" } }],
    ["a level that is none", { notifications: { default: "loud" } }],
    ["a room that is none", { notifications: { rooms: { town: { level: "all" } } } }],
    ["a time of day that is none", { notifications: { doNotDisturb: { from: "24:00", to: "07:00" } } }],
    ["a time that is none", { notifications: { rooms: { x: { mutedUntil: "tomorrow" } } } }],
    ["a time without a zone", { notifications: { rooms: { x: { mutedUntil: "2030-01-01T00:00" } } } }],
    ["more than clients may keep", { ui: { text: "x".repeat(8_200) } }],
    ["a list for what clients keep", { ui: [1] }],
  ])("%s is INVALID and changes nothing", async (_, body) => {
    const before = (await carl.get("/api/users/me/preferences")).body;
    expect(await carl.patch("/api/users/me/preferences", body)).toMatchObject({
      status: 422,
      body: { code: "INVALID" },
    });
    expect((await carl.get("/api/users/me/preferences")).body).toEqual(before);
  });

  test("say who finds one by search: contacts are friends, and those of a small room", async () => {
    await newPeople();
    const found = async (client: Client) =>
      (await client.get(`/api/users?search=${ann.username}`)).body.total as number;
    await set({ privacy: { find: "nobody" } });
    expect([await found(bob), await found(ann), await found(stage.admin)]).toEqual([0, 1, 1]);
    await set({ privacy: { find: "contacts" } });
    expect([await found(bob), await found(ann)]).toEqual([0, 1]);
    await befriend();
    expect(await found(bob)).toBe(1);
    expectStatus(await ann.delete(`/api/friends/${bob.id}`), 204);
    expect(await found(bob)).toBe(0);
    await meet();
    expect([await found(bob), await found(carl)]).toEqual([1, 0]);
    await set({ privacy: { find: "everyone" } });
    expect(await found(carl)).toBe(1);
  });

  test("say who begins a conversation; one that is there goes on", async () => {
    await newPeople();
    const begin = (client: Client, type = "direct") =>
      client.post("/api/conversations", { type, members: [ann.id, ...(type === "group" ? [stage.admin.id] : [])] });
    const room = await stage.direct(carl, ann);
    await set({ privacy: { write: "contacts" } });
    for (const type of ["direct", "group"])
      expect(await begin(bob, type)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect(await begin(carl)).toMatchObject({ status: 200, body: { id: room } });
    await say(carl, room, "hello");
    await befriend();
    expect((await begin(bob)).status).toBe(201);
    await set({ privacy: { write: "nobody" } });
    expect((await begin(stage.admin)).status).toBe(403);
    expect((await begin(bob)).status).toBe(200);
  });

  test("say who sees that one is there: watching, lists and by id, from one moment to the next", async () => {
    await newPeople();
    await ann.socket();
    const socket = await bob.socket();
    const seen = () =>
      socket
        .all("presence")
        .flatMap(({ changes }) => changes as { user: string; status: string }[])
        .filter(({ user }) => user === ann.id)
        .map(({ status }) => status);
    const sees = (status: string) => socket.until(status, () => seen().at(-1) === status);
    const shown = async () => [
      (await bob.get(`/api/users/${ann.id}`)).body.status,
      (await bob.get(`/api/users?search=${ann.username}`)).body.items[0].status,
    ];
    await socket.request({ t: "watch", users: [ann.id] });
    await sees("online");
    await set({ privacy: { presence: "contacts" } });
    await sees("offline");
    expect(await shown()).toEqual(["offline", "offline"]);
    await befriend();
    await sees("online");
    // Each presence node learns it in its own time.
    await eventually("she is shown", shown, all => all.every(status => status === "online"));
    await set({ privacy: { presence: "nobody" } });
    await sees("offline");
    await set({ privacy: { presence: "everyone" } });
    await sees("online");
  });

  test("keep one's read marks from others, while one's own devices know them", async () => {
    await newPeople();
    const room = await stage.direct(ann, bob);
    const { seq, id } = await say(bob, room, "hello");
    const [mine, his] = [await ann.socket([room]), await bob.socket([room])];
    await set({ privacy: { sendReadReceipts: false } });
    expect(await mine.request({ t: "read", room, seq })).toMatchObject({ t: "ok" });
    await his.frame("it has arrived", ({ t, user }) => t === "delivered" && user === ann.id);
    expect((await bob.get(`/api/messages/${id}/receipts`)).body.items).toEqual([
      { userId: ann.id, state: "delivered" },
    ]);
    expect((await ann.get("/api/unread")).body.items).toMatchObject([{ roomId: room, unread: 0 }]);
    await mine.frame("the note", ({ t, kind, data }) => t === "user" && kind === "read" && data.private === true);
    await set({ privacy: { sendReadReceipts: true } });
    const next = await say(bob, room, "again");
    expect(await mine.request({ t: "read", room, seq: next.seq })).toMatchObject({ t: "ok" });
    await his.frame("it is read", ({ t, user }) => t === "read" && user === ann.id);
    expect(his.all("read").filter(({ user }) => user === ann.id)).toMatchObject([{ seq: next.seq }]);
  });

  test("a profile says more: bio in several lines, pronouns; cleared with null", async () => {
    await newPeople();
    const told = { bio: "Likes birds.\nAnd trees.", pronouns: "she/her" };
    expect((await ann.patch("/api/users/me", told)).body).toMatchObject(told);
    expect((await bob.get(`/api/users/${ann.id}`)).body).toMatchObject(told);
    for (const body of [{ bio: "x".repeat(501) }, { bio: "a\u0000b" }, { pronouns: "a\nb" }])
      expect((await ann.patch("/api/users/me", body)).status).toBe(422);
    const cleared = (await ann.patch("/api/users/me", { bio: null, pronouns: null })).body;
    for (const name of ["bio", "pronouns"]) expect(cleared).not.toHaveProperty(name);
  });

  test("a guest lists nobody, and knows those alone with whom he is in a room", async () => {
    await newPeople();
    const guest = await stage.withRoles("guest", ["Guest"]);
    expect(await guest.get("/api/users")).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect((await guest.get(`/api/users/${ann.id}`)).status).toBe(404);
    expect((await guest.put(`/api/friends/${ann.id}`)).status).toBe(404);
    await stage.channel([ann, guest], { isPrivate: true });
    expect((await guest.get(`/api/users/${ann.id}`)).status).toBe(200);
    expect((await guest.get("/api/users/me")).status).toBe(200);
    expect((await guest.put(`/api/friends/${ann.id}`)).body).toEqual({ state: "requested" });
  });
});
