import type { Operation } from "../operation";
import { recent } from "./targets";

/** Reads for himself alone: others are told that it has arrived. */
export const readAlone: Operation = {
  name: "readAlone",
  weight: 2,
  draw: (random, { sends }) => (sends === 0 ? null : { send: recent(random, sends) }),
  async run({ send }, device, scene) {
    const seq = scene.sent.get(send as number)?.seq;
    if (seq === undefined) return;
    await device.does({
      rest: { method: "POST", path: `${scene.path}/read`, body: { seq, private: true } },
      frame: { t: "read", room: scene.room, seq, private: true },
    });
  },
};

/** From a message on all count as unread again. */
export const markUnread: Operation = {
  name: "markUnread",
  weight: 4,
  draw: (random, { sends }) => (sends === 0 ? null : { send: recent(random, sends) }),
  async run({ send }, device, scene) {
    const seq = scene.sent.get(send as number)?.seq;
    if (seq === undefined) return;
    await device.does({
      rest: { method: "POST", path: `${scene.path}/unread`, body: { seq } },
      frame: { t: "call", method: "messages.markUnread", params: { id: scene.room, seq } },
    });
  },
  notes: { unread: (model, { seq, offset }) => model.marks.markUnread(seq, offset) },
};

export const readAll: Operation = {
  name: "readAll",
  weight: 2,
  draw: random => (random() < 0.3 ? { private: true } : {}),
  async run(args, device) {
    await device.does({
      rest: { method: "POST", path: "/api/read", body: args },
      frame: { t: "call", method: "messages.readAll", params: args },
    });
  },
  notes: {
    readAll(model, { seq }) {
      model.marks.read(seq);
      model.threads.readAll(seq);
    },
  },
};
