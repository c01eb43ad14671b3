import { pick, whole } from "../../chaos/random";
import { unlike } from "../compare";
import type { Operation } from "../operation";

/** The first of a history runs its room; the others are added, given roles and taken out by him. */
const OWNER = 0;

export const other = (random: () => number, people: number): number => whole(random, 1, people - 1);

export const join: Operation = {
  name: "join",
  weight: 1,
  draw: (_, { kind }) => (kind === "public" ? {} : null),
  run: (_, device, scene) =>
    device.does({ rest: { method: "POST", path: `${scene.path}/join` } }).then(() => undefined),
};

/** Who goes is taken out of the room on all his devices, some of which are not told so. */
export const leave: Operation = {
  name: "leave",
  weight: 1,
  draw: (_, { kind, person }) => (kind === "direct" || person === OWNER ? null : {}),
  run: (_, device, scene) =>
    scene.takingOut(device.person, async () => {
      await device.does({ rest: { method: "POST", path: `${scene.path}/leave` } });
    }),
};

export const add: Operation = {
  name: "add",
  weight: 2,
  draw: (random, { kind, people }) =>
    kind === "direct"
      ? null
      : { person: other(random, people), ...(random() < 0.3 && { role: pick(random, ["moderator", "member"]) }) },
  async run({ person, role }, device, scene) {
    const { id: userId } = scene.personOf(person as number);
    const body = { userId, ...(role !== undefined && { role }) };
    await (scene.deviceOf(OWNER) ?? device).does({ rest: { method: "POST", path: `${scene.path}/members`, body } });
  },
  events: {
    member(model, { userId, change, role }) {
      if (change === "mute" || change === "unmute" || change === "unban") return;
      if (change === "leave" || change === "remove" || change === "ban") model.members.delete(userId);
      else model.members.set(userId, role ?? "member");
    },
    // Of what was said before one came; whatever else is kept from one is missed where it is compared.
    hidden: () => undefined,
  },
  notes: {
    member(model, { roomId, change }) {
      if (change === "mute" || change === "unmute" || change === "unban") return;
      if (change === "leave" || change === "remove" || change === "ban") model.rooms.delete(roomId);
      else model.rooms.add(roomId);
    },
  },
  compare: (model, { rooms }, _, { wire }) =>
    wire.knows.everything ? unlike("rooms that are his", [...model.rooms].sort(), [...rooms].sort()) : [],
};

export const takeOut: Operation = {
  name: "remove",
  weight: 1,
  draw: (random, { kind, people }) => (kind === "direct" ? null : { person: other(random, people) }),
  run: ({ person }, device, scene) =>
    scene.takingOut(person as number, async () => {
      const { id } = scene.personOf(person as number);
      const by = scene.deviceOf(OWNER) ?? device;
      await by.does({ rest: { method: "DELETE", path: `${scene.path}/members/${id}` } });
    }),
};
