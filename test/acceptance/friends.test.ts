import { expectStatus, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import type { SocketClient } from "../support/socket";

describe("friends", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  const pair = async () => (await stage.users("ann", "bob")) as [Client, Client];
  const ask = async (from: Client, to: Client) =>
    expectStatus(await from.put(`/api/friends/${to.id}`), 200).body.state as string;
  const end = async (from: Client, to: Client) => expectStatus(await from.delete(`/api/friends/${to.id}`), 204);
  const idsOf = (items: { user: { id: string } }[]) => items.map(({ user }) => user.id);
  const friends = async (client: Client): Promise<string[]> => {
    const { items, total } = expectStatus(await client.get("/api/friends"), 200).body;
    expect(total).toBe(items.length);
    expect((await client.get("/api/friends/ids")).body).toEqual({ items: idsOf(items) });
    return idsOf(items);
  };
  const requests = async (client: Client) => {
    const { incoming, outgoing } = expectStatus(await client.get("/api/friends/requests"), 200).body;
    return { incoming: idsOf(incoming), outgoing: idsOf(outgoing) };
  };
  const notes = (socket: SocketClient) => socket.notes.filter(({ kind }) => kind === "friend").map(({ data }) => data);
  const until = (socket: SocketClient, count: number) =>
    socket.until(`${count} notes of friends`, () => notes(socket).length >= count);

  test("one asks, the other says yes: both are told on every device, and each is in the other's list", async () => {
    const [ann, bob] = await pair();
    const [one, two, other] = [await ann.socket(), await ann.socket(), await bob.socket()];
    expect(await ask(ann, bob)).toBe("requested");
    expect(await ask(ann, bob)).toBe("requested");
    expect(await requests(ann)).toEqual({ incoming: [], outgoing: [bob.id] });
    expect(await requests(bob)).toEqual({ incoming: [ann.id], outgoing: [] });
    expect(await friends(ann)).toEqual([]);
    expect(await ask(bob, ann)).toBe("friends");
    expect(await ask(ann, bob)).toBe("friends");
    for (const [client, socket, state] of [
      [bob, one, "requested"],
      [bob, two, "requested"],
      [ann, other, "received"],
    ] as const) {
      await until(socket, 2);
      expect(notes(socket)).toEqual([
        { userId: client.id, state },
        { userId: client.id, state: "friends" },
      ]);
    }
    expect([await friends(ann), await friends(bob)]).toEqual([[bob.id], [ann.id]]);
    expect(await requests(ann)).toEqual({ incoming: [], outgoing: [] });
    const [item] = await eventually(
      "he is seen online",
      async () => (await ann.get("/api/friends")).body.items as Body[],
      ([first]) => first?.user.status === "online",
    );
    expect(item?.user).toMatchObject({ username: bob.username });
    expect(Number.isNaN(Date.parse(item?.since))).toBe(false);
  });

  test("two who ask each other at once are friends, however often", async () => {
    const [ann, bob] = await pair();
    for (let round = 0; round < 5; round++) {
      const states = await Promise.all([ask(ann, bob), ask(bob, ann), ask(ann, bob), ask(bob, ann)]);
      expect(states).toContain("friends");
      expect([await friends(ann), await friends(bob)]).toEqual([[bob.id], [ann.id]]);
      for (const client of [ann, bob]) expect(await requests(client)).toEqual({ incoming: [], outgoing: [] });
      await end(bob, ann);
    }
  });

  test("a request that is withdrawn may be made again", async () => {
    const [ann, bob] = await pair();
    await ask(ann, bob);
    await end(ann, bob);
    for (const client of [ann, bob]) expect(await requests(client)).toEqual({ incoming: [], outgoing: [] });
    await end(ann, bob);
    expect(await ask(ann, bob)).toBe("requested");
    expect(await requests(bob)).toEqual({ incoming: [ann.id], outgoing: [] });
  });

  test("who was declined is answered as ever, and not heard; whoever declined may ask himself", async () => {
    const [ann, bob] = await pair();
    const socket = await bob.socket();
    await ask(ann, bob);
    await end(bob, ann);
    await until(socket, 2);
    for (let round = 0; round < 3; round++) {
      expect(await ask(ann, bob)).toBe("requested");
      expect(await requests(ann)).toEqual({ incoming: [], outgoing: [bob.id] });
      expect(await requests(bob)).toEqual({ incoming: [], outgoing: [] });
      await end(bob, ann);
      if (round < 2) await end(ann, bob);
    }
    expect(await ask(bob, ann)).toBe("friends");
    await until(socket, 3);
    expect(notes(socket).map(({ state }) => state)).toEqual(["received", "none", "friends"]);
  });

  test("whom somebody does not let find him, or write to him, he takes no request from, unless he has asked", async () => {
    const [ann, bob] = await pair();
    const wish = async (privacy: object) =>
      expectStatus(await bob.patch("/api/users/me/preferences", { privacy }), 200);
    const put = () => ann.put(`/api/friends/${bob.id}`);
    for (const audience of ["nobody", "contacts"]) {
      await wish({ find: audience, write: "everyone" });
      expect(await put()).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
      await wish({ find: "everyone", write: audience });
      expect(await put()).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    }
    await wish({ find: "nobody", write: "nobody" });
    expect((await put()).status).toBe(404);
    expect(await requests(bob)).toEqual({ incoming: [], outgoing: [] });
    expect(await ask(bob, ann)).toBe("requested");
    expect(await ask(ann, bob)).toBe("friends");
  });

  test("who is removed is told, also when he comes back later", async () => {
    const [ann, bob] = await pair();
    await ask(ann, bob);
    await ask(bob, ann);
    await end(bob, ann);
    expect([await friends(ann), await friends(bob)]).toEqual([[], []]);
    const late = await ann.socket([], { n: 0 });
    await until(late, 3);
    expect(notes(late).map(({ state }) => state)).toEqual(["requested", "friends", "none"]);
  });

  test("oneself is INVALID, nobody is NOT_FOUND; ending what is not there is harmless", async () => {
    const [ann, bob] = await pair();
    expect(await ann.put(`/api/friends/${ann.id}`)).toMatchObject({ status: 422, body: { code: "INVALID" } });
    for (const nobody of ["nobody", "01a1fc87-9015-75b5-9683-ef4249e15e36"]) {
      expect(await ann.put(`/api/friends/${nobody}`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
      expect((await ann.delete(`/api/friends/${nobody}`)).status).toBe(404);
    }
    await end(ann, bob);
  });

  test("who is deleted is nobody's friend any more", async () => {
    const [ann, bob] = await pair();
    await ask(ann, bob);
    await ask(bob, ann);
    expectStatus(await bob.delete(`/api/users/${bob.id}`), 204);
    await eventually(
      "he is gone",
      async () => (await ann.get("/api/friends/ids")).body.items,
      (items: string[]) => items.length === 0,
    );
    expect(await friends(ann)).toEqual([]);
  });

  test("a friend is a contact: SignalR tells when he comes, without a room of the two", async () => {
    const [ann, bob] = await pair();
    const hub = await SignalrClient.open(stage.server.url, ann.token as string);
    await ask(ann, bob);
    await ask(bob, ann);
    const own = await ann.socket([], { n: 0 });
    await until(own, 2);
    const later = await SignalrClient.open(stage.server.url, ann.token as string);
    await bob.socket();
    for (const client of [hub, later])
      await eventually("he has come", () =>
        client.all("UserPresenceUpdate").some(([user, status]) => user === bob.id && status === "online"),
      );
    await hub.close();
    await later.close();
  });

  test("a person's export has friends, blocks and preferences", async () => {
    const [ann, bob] = await pair();
    const eve = await stage.user("eve");
    await ask(ann, bob);
    await ask(bob, ann);
    expectStatus(await ann.put(`/api/blocks/${eve.id}`), 204);
    const text = String((await ann.get(`/api/users/${ann.id}/export`)).body);
    const lines = text
      .trim()
      .split("\n")
      .map(line => JSON.parse(line) as Record<string, unknown>);
    const of = (type: string) => lines.filter(line => line.type === type);
    expect(of("friend")).toMatchObject([{ userId: bob.id }]);
    expect(of("block")).toMatchObject([{ userId: eve.id }]);
    expect(of("preferences")).toMatchObject([{ privacy: { find: "everyone" } }]);
    expect(lines.at(-1)).toMatchObject({ type: "end", friends: 1, blocks: 1 });
  });
});
