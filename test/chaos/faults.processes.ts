import { setTimeout as pause } from "node:timers/promises";
import type { Fault, Process } from "./ground";
import { pick, whole } from "./random";

type Role = Process["role"];

export interface Affliction {
  /** Of whom it takes one at random. */
  roles: readonly Role[];
  /** Milliseconds it lasts, from and to. */
  lasts: readonly [least: number, most: number];
}

const PRODUCT: readonly Role[] = ["server", "gateway", "api", "services", "proxy"];

/** SIGKILL of one process, which is started again. */
export const killing = ({ roles, lasts }: Affliction, name = "kill"): Fault => ({
  name,
  shapes: shapesOf(roles),
  async run({ processes }, random, told) {
    const one = someOf(processes, roles, random);
    told(one.name, "begin");
    await one.kill();
    try {
      await pause(whole(random, ...lasts));
    } finally {
      await one.start();
      told(one.name, "end");
    }
  },
});

/** One process stands still, as one does whose machine was paused, and goes on where it was. */
export const stopping = ({ roles, lasts }: Affliction, name = "stop"): Fault => ({
  name,
  shapes: shapesOf(roles),
  async run({ processes }, random, told) {
    const one = someOf(processes, roles, random);
    told(one.name, "begin");
    one.freeze();
    try {
      await pause(whole(random, ...lasts));
    } finally {
      one.thaw();
      told(one.name, "end");
    }
  },
});

export const kill = killing({ roles: PRODUCT, lasts: [500, 5_000] });
export const stop = stopping({ roles: [...PRODUCT, "nats", "store"], lasts: [2_000, 20_000] });
/** The writer of rooms stands still for longer than twice the time after which it is taken for dead: then there are two. */
export const writers = stopping({ roles: ["services"], lasts: [11_000, 15_000] }, "writers");
export const nats = killing({ roles: ["nats"], lasts: [1_000, 10_000] }, "nats");
export const store = killing({ roles: ["store"], lasts: [1_000, 8_000] }, "store");

function someOf(processes: readonly Process[], roles: readonly Role[], random: () => number): Process {
  const one = pick(
    random,
    processes.filter(({ role }) => roles.includes(role)),
  );
  if (!one) throw new Error(`no process here is one of: ${roles.join(", ")}`);
  return one;
}

/** One process has one role; a cluster has all others. */
function shapesOf(roles: readonly Role[]): Fault["shapes"] {
  const elsewhere = roles.some(role => role !== "server");
  return [...(roles.includes("server") ? (["embedded"] as const) : []), ...(elsewhere ? (["cluster"] as const) : [])];
}
