import { setTimeout as pause } from "node:timers/promises";
import type { Fault } from "./ground";
import { whole } from "./random";

/** The machine loses power: the server is gone, and of what it wrote and had not synced its disk has a random part. */
export const power: Fault = {
  name: "power",
  shapes: ["embedded"],
  isPossible: ({ disk }) => disk !== undefined,
  async run({ processes, disk }, random, told) {
    const server = processes.find(({ role }) => role === "server");
    if (!server) throw new Error("no server here");
    told(server.name, "begin");
    await server.kill();
    try {
      disk?.lose(random);
      await pause(whole(random, 0, 3_000));
    } finally {
      await server.start();
      told(server.name, "end");
    }
  },
};
