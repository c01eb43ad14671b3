import type { Middleware } from "moleculer";

interface Packet {
  payload?: { id?: string; stream?: boolean };
}

type Handler = (command: string, packet: Packet | null) => Promise<boolean>;

/** Requests remembered at least: what comes twice comes within seconds, and a node takes some thousands a second. */
export const REMEMBERED = 50_000;

/**
 * A request that the bus brings twice is taken once. Otherwise the second copy would be carried out beside the first, and
 * whichever answer came first would be believed. Streams are told apart by their own numbers.
 */
export function onceMiddleware(): Middleware {
  /** Two generations, so that the oldest leave without being looked for. */
  let young = new Set<string>();
  let old = new Set<string>();

  function isFirst(id: string): boolean {
    if (young.has(id) || old.has(id)) return false;
    if (young.size >= REMEMBERED) [old, young] = [young, new Set()];
    young.add(id);
    return true;
  }

  return {
    name: "Once",

    transitMessageHandler(next: Handler): Handler {
      return async (command, packet) => {
        const { id, stream } = packet?.payload ?? {};
        if (command === "REQ" && id !== undefined && stream !== true && !isFirst(id)) return false;
        return next(command, packet);
      };
    },
  } as object as Middleware;
}
