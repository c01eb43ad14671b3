import { pick, whole } from "../../chaos/random";
import type { Body } from "../../support/rest";
import type { Device } from "../device";
import type { Args, Operation, Random } from "../operation";
import type { Scene } from "../scene";
import { recent } from "./targets";

const WORDS = ["so", "it", "goes", "étage", "日本", "👋", "a\nline", "<b>", "mañana", '"quoted"'];

/** A message, with whatever a message can have. */
export const send: Operation = {
  name: "send",
  weight: 12,
  sends: true,
  draw(random, { people, sends, kind }) {
    const named = random() < 0.3 && kind !== "direct" ? [whole(random, 0, people - 1)] : [];
    return {
      text: textOf(random, sends),
      ...(named.length > 0 && { named }),
      ...(random() < 0.7 && { clientId: `c-${sends}` }),
      ...(random() < 0.25 && sends > 0 && { replyTo: recent(random, sends) }),
      ...(random() < 0.2 && { metadata: { n: sends, deep: { list: [1, "two", null] } } }),
      ...(random() < 0.1 && { file: true }),
    };
  },
  run: say,
  events: { message: (model, data) => model.add(data) },
};

/** It begins with its number. */
export const textOf = (random: Random, sends: number): string =>
  `${sends}: ${Array.from({ length: whole(random, 1, 5) }, () => pick(random, WORDS)).join(" ")}`;

/** What a send of any kind does; a reply in a thread names the send that this began with. */
export async function say(args: Args, device: Device, scene: Scene): Promise<void> {
  const { text, named = [], clientId, replyTo, thread, metadata, file } = args;
  const number = Number.parseInt(text as string, 10);
  const target = replyTo === undefined ? undefined : scene.sent.get(replyTo as number);
  const threadId = thread === undefined ? undefined : scene.threadOf(thread as number);
  if (thread !== undefined && threadId === undefined) return;
  const body: Record<string, unknown> = {
    text: [text, ...(named as number[]).map(person => `@${scene.people[person]?.username}`)].join(" "),
    ...(clientId !== undefined && { clientId }),
    ...(target && { replyTo: target.id }),
    ...(threadId !== undefined && { threadId }),
    ...(metadata !== undefined && { metadata }),
    ...(file === true && { attachments: [await scene.fileOf(device.person)] }),
  };
  if (!scene.bodies.has(number)) scene.bodies.set(number, { body, person: device.person });
  const channelId = scene.room;
  const outcome = await device.does({
    rest: { method: "POST", path: `${scene.path}/messages`, body },
    frame: { t: "send", room: channelId, ...body },
    hub: ["SendMessage", channelId, body],
    event: ["message", { channelId, ...body }],
    once: clientId === undefined,
    hurried: true,
  });
  const message: Body = outcome && (outcome.body.message ?? outcome.body);
  if (message?.id) scene.sent.set(number, { id: message.id, seq: message.seq });
}

/** What was sent before is sent again, by its sender: the same message; or with another text under its clientId: refused. */
export const again: Operation = {
  name: "again",
  weight: 2,
  draw: (random, { sends }) =>
    sends === 0 ? null : { send: recent(random, sends), ...(random() < 0.3 && { text: "something else" }) },
  async run({ send: number, text }, device, scene) {
    const first = scene.bodies.get(number as number);
    if (!first || first.body["clientId"] === undefined) return;
    const sender = scene.deviceOf(first.person, device);
    if (!sender) return;
    const channelId = scene.room;
    const body = { ...first.body, ...(text !== undefined && { text }) };
    const outcome = await sender.does({
      rest: { method: "POST", path: `${scene.path}/messages`, body },
      frame: { t: "send", room: channelId, ...body },
      hub: ["SendMessage", channelId, body],
      event: ["message", { channelId, ...body }],
      hurried: true,
    });
    const message: Body = outcome && (outcome.body.message ?? outcome.body);
    const known = scene.sent.get(number as number);
    if (message?.id && known && message.id !== known.id)
      scene.faults.push(`send ${number} was sent again and became ${message.id}, which was ${known.id}`);
    if (message?.id && !known) scene.sent.set(number as number, { id: message.id, seq: message.seq });
  },
};
