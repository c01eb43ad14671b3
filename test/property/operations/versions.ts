import { runsRoom } from "../../../services/core/permissions";
import type { Message } from "../../../services/core/model";
import type { Device } from "../device";
import { restOf } from "../fetched";
import type { Model } from "../model";
import type { Operation } from "../operation";
import { recent } from "./targets";

/** Edited messages that are looked at: the last ones. */
const LOOKED_AT = 4;

const pathOf = (id: string): string => `/api/messages/${id}/versions`;

/** What a message said before, for its sender and those who may delete it. */
export const versions: Operation = {
  name: "versions",
  weight: 1,
  draw: (random, { sends }) => (sends === 0 ? null : { send: recent(random, sends) }),
  async run({ send }, device, scene) {
    const target = scene.sent.get(send as number);
    if (!target) return;
    const shown = await device.does({
      rest: { method: "GET", path: pathOf(target.id) },
      frame: { t: "call", method: "messages.versions", params: { id: target.id } },
    });
    const isSender = scene.bodies.get(send as number)?.person === device.person;
    if (shown && !isSender && scene.runs(device.client.id) === "never")
      scene.faults.push(`${device.name} was shown the versions of message ${target.seq}`);
  },
  events: {
    message: (model, data) => model.versions.sent(data),
    edit: (model, data) => model.versions.edited(data),
  },
  async compare(model, { messages }, _, device) {
    const edited = messages.filter(({ editedAt, deletedAt }) => editedAt !== undefined || deletedAt !== undefined);
    const found = await Promise.all(edited.slice(-LOOKED_AT).map(message => versionsOf(message, model, device)));
    return found.flat();
  },
};

async function versionsOf(message: Message, model: Model, { client, wire }: Device): Promise<string[]> {
  const isSender = message.senderId === model.me;
  // Who runs the room is not told on every wire.
  if (!isSender && !wire.knows.everything) return [];
  const may = isSender || runsRoom(model.members.get(model.me) as Parameters<typeof runsRoom>[0]);
  const answer = await restOf(client, { method: "GET", path: pathOf(message.id) });
  const what = `versions of message ${message.seq}, which are ${may ? "" : "not "}for him: ${JSON.stringify(answer)}`;
  if (!may) return answer.state === "refused" && answer.code === "FORBIDDEN" ? [] : [what];
  if (answer.state !== "ok") return [what];
  const { items } = answer.body;
  if (message.deletedAt !== undefined) return items.length === 0 ? [] : [what];
  return model.versions.differences(message, items);
}
