import type { Peers } from "../../../services/core/shared-counter";

/** One process has no peers. */
export const alone: Peers = {
  size: 1,
  reachable: true,
  of: () => undefined,
  owns: () => true,
  tell: () => Promise.reject(new Error("There is nobody.")),
};
