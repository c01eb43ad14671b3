import type { Bug } from "../bug";
import { everyNth, isEvent, wrapPublish } from "../seams";

export const duplicatesDelivered: Bug = {
  name: "duplicates-delivered",
  what: "now and then readers get an entry twice",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant() {
    wrapPublish(publish => {
      const due = everyNth(10);
      return (topic, text) => {
        publish(topic, text);
        if (isEvent(text) && due()) publish(topic, text);
      };
    });
  },
};
