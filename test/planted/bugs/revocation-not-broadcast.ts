import { RevocationFeed } from "../../../services/core/revocation-feed";
import type { Bug } from "../bug";

export const revocationNotBroadcast: Bug = {
  name: "revocation-not-broadcast",
  what: "a revoked session stays open, as nobody is told of it",
  shapes: ["embedded"],
  faults: [],
  rules: ["H16"],
  plant() {
    RevocationFeed.prototype.add = () => undefined;
  },
};
