import { pick, whole } from "../../chaos/random";
import { unique } from "../../support/client";
import type { Operation } from "../operation";

/** Another room comes up, for some of the people: the one direct room of two of them, or a new group. */
export const converse: Operation = {
  name: "converse",
  weight: 2,
  draw: (random, { people, person }) => ({
    type: pick(random, ["direct", "group"]) as string,
    with: (person + whole(random, 1, people - 1)) % people,
  }),
  async run({ type, with: other }, device, scene) {
    const body = {
      type,
      members: [scene.personOf(other as number).id],
      ...(type === "group" && { name: unique("aside") }),
    };
    await device.does({
      rest: { method: "POST", path: "/api/conversations", body },
      frame: { t: "call", method: "rooms.converse", params: body },
      once: type === "group",
    });
  },
};
