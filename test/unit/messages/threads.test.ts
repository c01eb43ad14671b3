import { newId } from "../../../services/core/ids";
import type { Entry, MessageStore } from "../../../services/messages/message.store";
import { messageEntry, noted } from "./entries";
import { once, stores } from "./stores";

describe.each(stores)("replies in threads, in %s", (_name, open) => {
  const opened = once(open);
  let store: MessageStore;
  let room: string;
  let user: string;

  beforeEach(async () => {
    ({ store } = await opened());
    [room, user] = [newId(), newId()];
  });

  /** A message and replies to it, which all name the user. */
  async function begin(replies: number): Promise<void> {
    const root = messageEntry({ offset: 1, seq: 1 });
    const data = JSON.stringify({ ...(JSON.parse(root.data as string) as object), thread: { replies } });
    const thread = { root: 1, starter: user };
    const reply = (n: number): Entry => {
      const change = { offset: 1, data };
      return messageEntry({ offset: n + 2, seq: n + 2, batch: 1, mentions: [user], thread, change });
    };
    await store.append(room, [root, ...Array.from({ length: replies }, (_, n) => reply(n))]);
  }

  const unread = async () => (await store.unread(user, [{ room, visibleFrom: 0 }]))[0];
  const thread = async () => (await store.threads(room, user, { skip: 0, limit: 5, visibleFrom: 0 })).items[0];
  const hide = (seq: number): Promise<void> =>
    noted(store, user, { kind: "hide", data: { roomId: room, messageId: newId(), seq } });

  it("mention in their thread alone: the room has no mention that is not unread there", async () => {
    await begin(2);
    expect(await unread()).toMatchObject({ unread: 1, mentions: 0 });
    await store.append(room, [messageEntry({ offset: 4, seq: 4, mentions: [user] })]);
    expect(await unread()).toMatchObject({ unread: 2, mentions: 1 });
    await hide(3);
    expect(await unread()).toMatchObject({ unread: 2, mentions: 1 });
    await hide(4);
    expect(await unread()).toMatchObject({ unread: 1, mentions: 0 });
  });

  it("are not unread in it once they are out of one's sight", async () => {
    await begin(3);
    expect(await thread()).toMatchObject({ unread: 3, readSeq: 0 });
    await hide(3);
    await hide(1);
    expect(await thread()).toMatchObject({ unread: 2, readSeq: 0 });
  });
});
