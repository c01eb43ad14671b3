import type { AppendAnswer } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import type { MongoMessageStore } from "../../../services/messages/message.store.mongo";
import { describeMongo, mongoUrl } from "../../support/servers";
import { eventually } from "../../support/eventually";
import { TcpProxy } from "../../support/tcp-proxy";
import { afterFile } from "../../support/cleanup";
import { codeOf, ground, message, person, type Ground } from "./ground";
import { once, openMongo } from "./stores";

const url = once(mongoUrl);

/** A writer whose connection to the database a test can cut, and one beside it that sees what is really stored. */
async function apart() {
  const direct = new URL(await url());
  const proxy = await TcpProxy.start(direct.host);
  afterFile(() => proxy.stop());
  const through = new URL(direct.href);
  through.host = proxy.address;
  const [store, witness] = [await openMongo(through.href), await openMongo(direct.href)];
  const watched: MongoMessageStore = Object.create(store);
  const planted: { beforeAppend: (() => void) | null } = { beforeAppend: null };
  watched.append = (room, entries) => {
    planted.beforeAppend?.();
    return store.append(room, entries);
  };
  return { proxy, witness, planted, ...ground(watched, newId()) };
}

describeMongo("a write to MongoDB of unknown outcome", () => {
  const user = person();
  const retried = (send: () => Promise<AppendAnswer>) =>
    eventually("the retry is answered", send, answer => answer.ok, 20_000);

  it("that was stored, its answer lost, has one effect however often it is repeated", async () => {
    const { proxy, witness, send, room, seen } = await apart();
    message(await send(user, "before"));
    proxy.answers("hold");
    const doubtful = send(user, "doubt", { clientId: "c1" });
    await eventually("it is stored", async () => (await witness.heads([room])).get(room)?.offset === 2);
    proxy.cut();
    proxy.answers("pass");
    expect(["UNKNOWN_OUTCOME", "ok"]).toContain(codeOf(await doubtful));
    expect(await retried(() => send(user, "doubt", { clientId: "c1" }))).toMatchObject({ offset: 2, duplicate: true });
    expect(message(await retried(() => send(user, "after", { clientId: "c2" })))).toMatchObject({ offset: 3, seq: 3 });
    expect(new Set(seen.map(({ offset }) => offset))).toEqual(new Set([1, 2, 3]));
  });

  it("that never arrived is written under the same offset", async () => {
    const { proxy, witness, send, room } = await apart();
    message(await send(user, "before"));
    proxy.requests("hold");
    const doubtful = send(user, "doubt", { clientId: "c1" });
    expect(codeOf(await doubtful)).toBe("UNKNOWN_OUTCOME");
    proxy.cut();
    proxy.requests("pass");
    expect(await retried(() => send(user, "doubt", { clientId: "c1" }))).toMatchObject({ offset: 2 });
    expect((await witness.heads([room])).get(room)).toMatchObject({ offset: 2, seq: 2 });
  });

  it("of an edit or a reaction, which have no clientId, is told from another writer's entry and has one effect", async () => {
    const { proxy, witness, planted, send, op, room } = await apart();
    const { id } = message(await send(user, "first"));
    planted.beforeAppend = () => proxy.answers("hold");
    const [edited, reacted] = [
      op(user, { op: "edit", id, text: "second" }),
      op(user, { op: "react", id, emoji: "👍", on: true }),
    ];
    await eventually("the edit is stored", async () => ((await witness.heads([room])).get(room)?.offset ?? 0) >= 2);
    planted.beforeAppend = null;
    proxy.cut();
    proxy.answers("pass");
    for (const answer of [edited, reacted])
      expect(["UNKNOWN_OUTCOME", "UNAVAILABLE", "ok"]).toContain(codeOf(await answer));
    const again = await retried(() => op(user, { op: "edit", id, text: "second" }));
    expect(message(again).text).toBe("second");
    const kinds = (await witness.events(room, 0, 10, 10_000)).map(({ kind }) => kind);
    expect(kinds.filter(kind => kind === "edit")).toEqual(["edit"]);
    expect(kinds.filter(kind => kind === "reaction").length).toBeLessThan(2);
  });

  it("gives way to what another writer has stored at its offset meanwhile", async () => {
    const { proxy, witness, send, room } = await apart();
    const other: Ground = ground(witness, room);
    message(await send(user, "before"));
    proxy.requests("hold");
    expect(codeOf(await send(user, "doubt", { clientId: "c1" }))).toBe("UNKNOWN_OUTCOME");
    expect(message(await other.send(user, "theirs", { clientId: "c2" })).offset).toBe(2);
    proxy.cut();
    proxy.requests("pass");
    expect(await retried(() => send(user, "doubt", { clientId: "c1" }))).toMatchObject({ offset: 3 });
    const texts = (await witness.window(room, { limit: 10, visibleFrom: 0 })).map(
      ({ data }) => (JSON.parse(data) as { text: string }).text,
    );
    expect(texts).toEqual(["before", "theirs", "doubt"]);
  });
});
