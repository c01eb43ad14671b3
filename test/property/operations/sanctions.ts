import { unlike } from "../compare";
import type { Device } from "../device";
import type { Operation, Random } from "../operation";
import type { Scene } from "../scene";
import { EVERYBODY } from "../silences";
import { other } from "./members";

const drawn = (random: Random, people: number) => ({ person: other(random, people), on: random() < 0.6 });

/** By whoever runs the room, which the first of a history does. */
async function decide(scene: Scene, device: Device, path: string, on: boolean): Promise<void> {
  const by = scene.deviceOf(0) ?? device;
  await by.does({
    rest: { method: on ? "PUT" : "DELETE", path: `${scene.path}/${path}`, ...(on && { body: {} }) },
  });
}

/** Who is banned is taken out of the room on all his devices, and comes in no more until that is taken back. */
export const ban: Operation = {
  name: "ban",
  weight: 1,
  draw: (random, { kind, people }) => (kind === "direct" ? null : drawn(random, people)),
  run: ({ person, on }, device, scene) => {
    const path = `bans/${scene.personOf(person as number).id}`;
    const work = (): Promise<void> => decide(scene, device, path, on as boolean);
    return on ? scene.takingOut(person as number, work) : work();
  },
};

export const mute: Operation = {
  name: "mute",
  weight: 2,
  draw: (random, { kind, people }) => (kind === "direct" ? null : drawn(random, people)),
  run: ({ person, on }, device, scene) =>
    decide(scene, device, `mutes/${scene.personOf(person as number).id}`, on as boolean),
  events: {
    member(model, { userId, change, muted }, offset) {
      if (offset === null) return;
      if (change === "mute" || change === "unmute") model.silences.changed(userId, change === "mute", offset);
      // Who comes back is as silent as when he went, unless that was taken back meanwhile.
      if (change === "join") model.silences.changed(userId, muted === true, offset);
    },
  },
  compare(model, { messages, members }, _, { wire }) {
    if (!wire.knows.everything) return [];
    const runs = ["owner", "moderator"].includes(model.members.get(model.me) ?? "");
    const shown = members.flatMap(({ userId, muted }): [string, boolean][] =>
      (runs || userId === model.me) && model.silences.of(userId) !== undefined ? [[userId, muted !== undefined]] : [],
    );
    const known = shown.map(([user]): [string, boolean] => [user, model.silences.of(user) === true]);
    return [...unlike("who is muted", known, shown), ...model.silences.brokenBy(messages)];
  },
};

/** Now and then, and most often it is taken back: an archived room is a quiet one. */
export const archive: Operation = {
  name: "archive",
  weight: 1,
  draw: (random, { kind }) => (kind === "direct" ? null : { on: random() < 0.3 }),
  async run({ on }, device, scene) {
    const path = `${scene.path}/${on ? "archive" : "unarchive"}`;
    await (scene.deviceOf(0) ?? device).does({ rest: { method: "POST", path } });
  },
  events: {
    room(model, { archivedAt }, offset) {
      if (offset !== null) model.silences.changed(EVERYBODY, archivedAt !== undefined, offset);
    },
  },
};
