import type { ServiceSchema } from "moleculer";
import type { ActionsOf } from "../services/core/contract";
import { platformOf } from "./platform";
import { vitals } from "./vitals";

const actions = {
  health: {
    auth: "internal",
    visibility: "public",
    params: {},
    async handler(ctx) {
      const { status, checks } = await platformOf(ctx.broker).health.report();
      return { status, checks };
    },
  },
  vitals: {
    auth: "internal",
    visibility: "public",
    params: {},
    handler: () => vitals(),
  },
} satisfies ActionsOf<"node">;

/** What every process answers about itself, whichever services it runs. */
const Node: ServiceSchema = { name: "node", actions };

export default Node;
