import type { Operation } from "../operation";
import { recent } from "./targets";

export const remove: Operation = {
  name: "delete",
  weight: 3,
  draw: (random, { sends }) =>
    sends === 0 ? null : { send: recent(random, sends), ...(random() < 0.4 && { anyone: true }) },
  async run({ send, anyone }, device, scene) {
    const target = scene.sent.get(send as number);
    if (!target) return;
    const sender = scene.bodies.get(send as number)?.person ?? device.person;
    const by = (anyone ? device : scene.deviceOf(sender, device)) ?? device;
    await by.does({
      rest: { method: "DELETE", path: `/api/messages/${target.id}` },
      frame: { t: "delete", room: scene.room, id: target.id },
      hub: ["DeleteMessage", target.id],
      event: ["delete", { id: target.id }],
    });
  },
  events: { delete: (model, data) => model.change(data) },
};
