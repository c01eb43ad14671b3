import type { Bug } from "../bug";
import { everyNth, isEvent, wrapPublish } from "../seams";

export const eventsReordered: Bug = {
  name: "events-reordered",
  what: "now and then readers get an entry after the one that follows it",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant() {
    wrapPublish(publish => {
      const held = new Map<string, string>();
      const due = everyNth(10);
      return (topic, text) => {
        const late = held.get(topic);
        if (late === undefined && isEvent(text) && due()) {
          held.set(topic, text);
          return;
        }
        publish(topic, text);
        if (late === undefined || !isEvent(text)) return;
        held.delete(topic);
        publish(topic, late);
      };
    });
  },
};
