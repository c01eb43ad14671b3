import type { Operation } from "../operation";

export const settings: Operation = {
  name: "settings",
  weight: 2,
  draw(random, { kind, history }) {
    if (kind === "direct") return null;
    const number = Math.floor(random() * 1e9);
    const choice = random();
    if (choice < 0.4) return { name: `renamed-${number.toString(36)}` };
    // What is public is for everybody as a whole.
    if (choice < 0.8 || kind === "group" || history === "joined")
      return { topic: random() < 0.3 ? null : `about ${number}` };
    return { isPrivate: random() < 0.5 };
  },
  async run(args, device, scene) {
    const body = { ...args, ...(args["name"] && { name: `${args["name"]}-${scene.room.slice(-6)}` }) };
    await (scene.deviceOf(0) ?? device).does({ rest: { method: "PATCH", path: scene.path, body } });
  },
  events: { room: (model, data) => void (model.room = data) },
};
