import { systemClock } from "../../../services/core/clock";
import type { Message } from "../../../services/core/model";
import type { Bug } from "../bug";
import { wrapStore } from "../seams";

/** The wall clock stands back by so many milliseconds every other time of so many. */
const BACK = 3_000;
const TURN = 400;

const createdAt = (data: string): string => (JSON.parse(data) as Message).createdAt;
const byTime = (a: string, b: string): number => createdAt(a).localeCompare(createdAt(b));

export const wallClockOrder: Bug = {
  name: "wall-clock-order",
  what: "history is put in order by the time of day, which jumps",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H3", "H4", "H5"],
  plant() {
    systemClock.now = () => Date.now() - (Math.floor(Date.now() / TURN) % 2) * BACK;
    wrapStore(store => ({
      async window(room, window) {
        const rows = await store.window(room, window);
        return rows.sort((a, b) => byTime(a.data, b.data));
      },
      async page(...args) {
        const { items, total } = await store.page(...args);
        return { items: items.sort(byTime), total };
      },
    }));
  },
};
