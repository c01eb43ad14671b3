import { RevocationFeed } from "../../../services/core/revocation-feed";
import type { Bug } from "../bug";

export const revocationNotBroadcast: Bug = {
  name: "revocation-not-broadcast",
  what: "a revoked session stays open, as nobody is told of it and nobody asks",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H16"],
  plant() {
    RevocationFeed.prototype.add = () => undefined;
    RevocationFeed.prototype.compare = () => Promise.resolve();
  },
};
