import type { Operation } from "../operation";
import { recent } from "./targets";

/** Only the sender may: so his device does it, whosoever turn it is. */
export const edit: Operation = {
  name: "edit",
  weight: 5,
  draw: (random, { sends }) =>
    sends === 0
      ? null
      : {
          send: recent(random, sends),
          text: `edited ${Math.floor(random() * 1e6)}${random() < 0.1 ? " @all" : ""}`,
          ...(random() < 0.1 && { anyone: true }),
        },
  async run({ send, text, anyone }, device, scene) {
    const target = scene.sent.get(send as number);
    if (!target) return;
    const sender = scene.bodies.get(send as number)?.person ?? device.person;
    const by = (anyone ? device : scene.deviceOf(sender, device)) ?? device;
    await by.does({
      rest: { method: "PATCH", path: `/api/messages/${target.id}`, body: { text } },
      frame: { t: "edit", room: scene.room, id: target.id, text },
      hub: ["EditMessage", target.id, text],
      event: ["edit", { id: target.id, text }],
    });
  },
  events: { edit: (model, data) => model.change(data) },
};
