import type { Operation } from "../operation";
import { recent } from "./targets";

/** Deletes a message for oneself alone, on all one's devices. */
export const hide: Operation = {
  name: "hide",
  weight: 2,
  draw: (random, { sends }) => (sends === 0 ? null : { send: recent(random, sends) }),
  async run({ send }, device, scene) {
    const target = scene.sent.get(send as number);
    if (!target || device.away) return;
    scene.hides(device.person, target);
    const done = await device.does({
      rest: { method: "PUT", path: `/api/messages/${target.id}/hidden` },
      frame: { t: "call", method: "messages.hide", params: { id: target.id } },
    });
    if (done) scene.hidden(device.person).add(target.id);
  },
  notes: {
    hide(model, { seq, messageId }) {
      if (!model.outOfSight.has(messageId)) model.faults.push(`${messageId} is out of sight, which nobody asked for`);
      model.hide(seq);
    },
  },
  compare: (_, { messages }, scene, { person }) =>
    messages.filter(({ id }) => scene.hidden(person).has(id)).map(({ seq }) => `message ${seq} is in sight again`),
};
