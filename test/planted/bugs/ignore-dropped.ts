import type { Bug } from "../bug";
import { wrapSockets } from "../seams";

/** Milliseconds between a socket's slow spells, and how long one lasts. */
const EVERY = 700;
const SPELL = 150;

export const ignoreDropped: Bug = {
  name: "ignore-dropped",
  what: "what is published while a socket is slow passes it by, and the socket lives on",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H8"],
  plant() {
    wrapSockets(socket => {
      const topics = new Set<string>();
      const subscribe = socket.subscribe.bind(socket);
      const unsubscribe = socket.unsubscribe.bind(socket);
      let slow = false;
      const spells = setInterval(() => {
        if (socket.closed) return clearInterval(spells);
        slow = true;
        for (const topic of topics) unsubscribe(topic);
        setTimeout(() => {
          slow = false;
          for (const topic of topics) subscribe(topic);
        }, SPELL).unref();
      }, EVERY).unref();
      return {
        subscribe(topic) {
          topics.add(topic);
          if (!slow) subscribe(topic);
        },
        unsubscribe(topic) {
          topics.delete(topic);
          unsubscribe(topic);
        },
      };
    });
  },
};
