import { setTimeout as pause } from "node:timers/promises";
import type { Fault, Link } from "./ground";
import { pick, whole } from "./random";

type Way = "both" | "up" | "down";
type Span = readonly [least: number, most: number];

/** What is done to which links. */
interface Plan {
  links: readonly Link[];
  /** A word on how, for whoever reads the history. */
  how?: string;
  begin(link: Link): Promise<unknown> | unknown;
}

/** Milliseconds a link is troubled, from and to. */
const LASTS: Span = [5_000, 20_000];

const troubling = (
  name: string,
  plan: (links: readonly Link[], random: () => number) => Plan,
  lasts: Span = LASTS,
): Fault => ({
  name,
  shapes: ["cluster"],
  isPossible: ({ links }) => links.length > 0,
  async run(ground, random, told) {
    const { links, how, begin } = plan(ground.links, random);
    const target = [...links.map(link => link.name), ...(how ? [how] : [])].join(", ");
    told(target, "begin");
    try {
      await Promise.all(links.map(begin));
      await pause(whole(random, ...lasts));
    } finally {
      await Promise.all(links.map(link => link.heal()));
      told(target, "end");
    }
  },
});

/** What one node says to NATS is lost, or what it hears, or both. */
export const partitioning = (ways: readonly Way[], lasts?: Span): Fault =>
  troubling(
    "partition",
    (links, random) => {
      const way = pick(random, ways);
      return { links: anyOf(to(links, "nats"), random), how: way, begin: link => link.cut(way) };
    },
    lasts,
  );

/** NATS or the store answers everybody late. */
export const slowing = (servers: readonly Link["to"][], delays: readonly number[], lasts?: Span): Fault =>
  troubling(
    "latency",
    (links, random) => {
      const ms = pick(random, delays) ?? 0;
      const server = pick(random, servers) ?? "nats";
      return { links: to(links, server), how: `+${ms} ms`, begin: link => link.slow(ms) };
    },
    lasts,
  );

export const partition = partitioning(["both", "both", "up", "down"]);

/** 5 s is later than anybody waits. */
export const latency = slowing(["nats", "store"], [50, 100, 200, 500, 5_000]);

/** Connections of one node are reset and refused. */
export const reset = troubling(
  "reset",
  (links, random) => ({ links: anyOf(links, random), begin: link => link.reset() }),
  [1_000, 8_000],
);

/** Of packets of NATS this share comes twice, and this share late and out of order. */
export const duplicating = (share: number, lasts?: Span): Fault =>
  troubling(
    "duplicate",
    links => ({ links: links.filter(link => link.garble), begin: link => link.garble?.(share) }),
    lasts,
  );

export const duplicate = duplicating(0.05);

function to(links: readonly Link[], server: Link["to"]): Link[] {
  return links.filter(link => link.to === server);
}

function anyOf(links: readonly Link[], random: () => number): Link[] {
  const link = pick(random, links);
  return link ? [link] : [];
}
