import type { Reaction } from "../../../services/core/model";
import { pick } from "../../chaos/random";
import type { Operation } from "../operation";
import { recent } from "./targets";

const EMOJI = ["👍", "👀"];
/** Of how many of the last reactions one is taken away. */
const BACK = 6;

export const react: Operation = {
  name: "react",
  weight: 8,
  draw(random, { sends, person, drawn }) {
    const made = drawn.filter(({ op, args }) => op === "react" && args["on"] === true).slice(-BACK);
    const first = random() < 0.4 ? pick(random, made) : undefined;
    if (first) return { ...first.args, on: false };
    return sends === 0 ? null : { send: recent(random, sends, 2), emoji: pick(random, EMOJI), on: true, person };
  },
  async run({ send, emoji, on, person }, turn, scene) {
    const target = scene.sent.get(send as number);
    const device = scene.deviceOf(person as number, turn);
    if (!target || !device) return;
    await device.does({
      rest: {
        method: on ? "PUT" : "DELETE",
        path: `/api/messages/${target.id}/reactions/${encodeURIComponent(emoji as string)}`,
      },
      frame: { t: "react", room: scene.room, id: target.id, emoji, on },
      hub: ["React", target.id, emoji, on],
      event: ["react", { id: target.id, emoji, on }],
    });
  },
  events: {
    // Of a replay: the message shows it already, or is a tombstone by now.
    reaction(model, { messageId, userId, emoji, on }) {
      const message = model.known(messageId, "a reaction");
      if (!message || message.deletedAt !== undefined) return;
      const { reactions = [], ...rest } = message;
      const left = with_(reactions, emoji, userId, on);
      model.messages.set(messageId, { ...rest, ...(left.length > 0 && { reactions: left }) });
    },
  },
};

function with_(reactions: readonly Reaction[], emoji: string, user: string, on: boolean): Reaction[] {
  const known = reactions.find(one => one.emoji === emoji) ?? { emoji, count: 0, users: [] };
  const users = known.users.filter(one => one !== user);
  if (on) users.push(user);
  const others = reactions.filter(one => one.emoji !== emoji);
  return users.length > 0 ? [...others, { emoji, count: users.length, users }] : others;
}
