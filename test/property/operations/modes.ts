import { pick } from "../../chaos/random";
import type { Device } from "../device";
import type { Args, Operation, Plot } from "../operation";
import type { Scene } from "../scene";

const MODES = ["open", "open", "announcement", "readonly"] as const;

const isChannel = ({ kind }: Plot): boolean => kind === "public" || kind === "private";

async function change(args: Args, device: Device, scene: Scene): Promise<void> {
  await (scene.deviceOf(0) ?? device).does({ rest: { method: "PATCH", path: scene.path, body: args } });
}

/** Who posts in a channel. */
export const mode: Operation = {
  name: "mode",
  weight: 2,
  draw: (random, plot) => (isChannel(plot) ? { mode: pick(random, MODES) as string } : null),
  run: change,
  events: {
    room(model, { mode: now, slowMode }, offset) {
      if (offset !== null && now !== undefined) model.rules.changed({ offset, mode: now, slowMode });
    },
  },
  compare: (model, { messages }, scene) =>
    scene.people
      .filter(({ id }) => scene.runs(id) === "never")
      .flatMap(({ id }) => model.rules.brokenBy(messages.filter(({ senderId }) => senderId === id))),
};

/** How often one posts there. Who would have to wait lets it be: the product is to refuse, not the test to stand still. */
export const slow: Operation = {
  name: "slow",
  weight: 1,
  draw: (random, plot) => (isChannel(plot) ? { slowMode: random() < 0.5 ? 1 : 0 } : null),
  run: change,
};
