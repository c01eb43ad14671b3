import { pick } from "../../chaos/random";
import { unlike } from "../compare";
import type { Operation } from "../operation";
import { recent } from "./targets";

/** Of how many of the last pins one is taken away. */
const BACK = 4;

/** In a channel those who run it pin: mostly its owner does. */
export const pin: Operation = {
  name: "pin",
  weight: 6,
  draw(random, { sends, drawn }) {
    const made = drawn.filter(({ op, args }) => op === "pin" && args["on"] === true).slice(-BACK);
    const anyone = random() < 0.2;
    const first = random() < 0.6 ? pick(random, made) : undefined;
    if (first) return { ...first.args, on: false };
    return sends === 0 ? null : { send: recent(random, sends), on: true, ...(anyone && { anyone }) };
  },
  async run({ send, on, anyone }, turn, scene) {
    const target = scene.sent.get(send as number);
    const device = anyone ? turn : scene.deviceOf(0, turn);
    if (!target || !device) return;
    await device.does({
      rest: { method: on ? "PUT" : "DELETE", path: `/api/messages/${target.id}/pin` },
      frame: { t: "call", method: on ? "messages.pin" : "messages.unpin", params: { id: target.id } },
    });
  },
  events: {
    pin(model, { messageId, userId, on }) {
      const message = model.known(messageId, "a pin");
      model.pins = model.pins.filter(id => id !== messageId);
      // Of a replay: it is a tombstone by now.
      if (!message || message.deletedAt !== undefined) return;
      const { pinned: _, ...rest } = message;
      if (on) model.pins.unshift(messageId);
      // When is not told.
      model.messages.set(messageId, { ...rest, ...(on && { pinned: { by: userId, at: "" } }) });
    },
    delete: (model, { id }) => void (model.pins = model.pins.filter(pinned => pinned !== id)),
  },
  compare(model, { pins, messages }, _, { wire }) {
    if (!wire.knows.everything) return [];
    const shown = messages.filter(({ id }) => model.pins.includes(id));
    const ids = model.pins.map(id => shown.find(one => one.id === id));
    return unlike(
      "pins",
      model.pins,
      pins.map(({ id }) => id),
    ).concat(unlike("pinned messages", ids, pins));
  },
};
