import type { Operation, Random, Plot, Args } from "../operation";
import { recent } from "./targets";

/** Now and then further than there is. */
const draw = (random: Random, { sends }: Plot): Args | null =>
  random() < 0.1 ? { seq: 1_000_000 } : sends === 0 ? null : { send: recent(random, sends) };

const marking = (name: "read" | "delivered", hub: string, weight: number): Operation => ({
  name,
  weight,
  draw,
  async run({ send, seq = null }, device, scene) {
    const upTo: number | undefined = seq ?? scene.sent.get(send as number)?.seq;
    if (upTo === undefined) return;
    await device.does({
      rest: { method: "POST", path: `${scene.path}/${name}`, body: { seq: upTo } },
      frame: { t: name, room: scene.room, seq: upTo },
      hub: [hub, scene.room, upTo],
      event: [name, { channelId: scene.room, seq: upTo }],
    });
  },
});

/** A mark is known by the notes of one's own feed, by one's own messages and by one's coming in. */
export const read: Operation = {
  ...marking("read", "MarkRead", 5),
  events: {
    message(model, { senderId, threadId, seq, offset }) {
      // Who replies in a thread need not have seen what is new in the room.
      if (senderId === model.me && threadId === undefined) model.marks.came(seq, offset);
    },
    member(model, { userId, change }, offset) {
      if (userId !== model.me || change !== "join" || offset === null) return;
      model.marks.came(model.seqAt(offset), offset);
      model.threads.readAll(model.seqAt(offset));
    },
  },
  notes: { read: (model, { seq }) => model.marks.read(seq) },
};

/** Moves no number that is told. */
export const delivered: Operation = {
  ...marking("delivered", "MarkDelivered", 2),
  notes: { delivered: () => undefined },
};
