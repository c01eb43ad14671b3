import type { Told, ToldAnswer } from "../shared-counter";

export interface ApiGatewayActions {
  /** Between api-gateways, to be called with the node: what was spent of a limit, and what more is wanted. */
  "api-gateway.spend": { params: { limit: string; items: Told[] }; returns: ToldAnswer[] };
}
