import { setTimeout as pause } from "node:timers/promises";
import type { Fault } from "./ground";
import { pick, whole } from "./random";

const HOUR = 3_600_000;

/** The wall clock of one process jumps by an hour, and later back. */
export const clock: Fault = {
  name: "clock",
  shapes: ["embedded", "cluster"],
  isPossible: ({ processes }) => processes.some(({ shift }) => shift),
  async run({ processes }, random, told) {
    const one = pick(
      random,
      processes.filter(({ shift }) => shift),
    );
    const ms = random() < 0.5 ? HOUR : -HOUR;
    const target = `${one?.name}, ${ms > 0 ? "+" : "-"}1 h`;
    told(target, "begin");
    try {
      await one?.shift?.(ms);
      await pause(whole(random, 5_000, 20_000));
    } finally {
      await one?.shift?.(0);
      told(target, "end");
    }
  },
};
