import type { Bug } from "../bug";
import { everyNth, wrapPublish } from "../seams";

/** Frames of a user's own feed. */
const isNote = (text: string): boolean => text.startsWith('{"t":"user"');

/** How often a note comes that came once, now and then. */
const comes = (times: number): void =>
  wrapPublish(publish => {
    const due = everyNth(3);
    return (topic, text) => {
      for (let left = isNote(text) && due() ? times : 1; left > 0; left--) publish(topic, text);
    };
  });

export const noteLost: Bug = {
  name: "note-lost",
  what: "now and then an entry of a user's own feed reaches none of his devices",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant: () => comes(0),
};

export const noteTwice: Bug = {
  name: "note-twice",
  what: "now and then an entry of a user's own feed comes twice",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant: () => comes(2),
};
