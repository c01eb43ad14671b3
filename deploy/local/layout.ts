import { SERVICE_NAMES, type ServiceName } from "../../config/variables";

/** A process of the cluster: its name in logs, and what runs in it. */
export interface NodeSpec {
  name: string;
  services: readonly ServiceName[];
}

const GATEWAYS: readonly ServiceName[] = ["api-gateway", "ws-gateway"];
const OTHERS = SERVICE_NAMES.filter(name => !GATEWAYS.includes(name));

/**
 * Which processes there are: two ws-gateways, an api-gateway, and two with all other services; or, with `each`, every
 * other service in a process of its own, `messages` in two, so that rooms have different writers in both layouts. With
 * `twins` there are two api-gateways.
 */
export function layout({ each = false, twins = false }: { each?: boolean; twins?: boolean } = {}): NodeSpec[] {
  const others = each
    ? OTHERS.flatMap((name): NodeSpec[] =>
        name === "messages" ? numbered(name, [name]) : [{ name, services: [name] }],
      )
    : numbered("services", OTHERS);
  const rest: NodeSpec[] = twins
    ? numbered("api-gateway", ["api-gateway"])
    : [{ name: "api-gateway", services: ["api-gateway"] }];
  return [...others, ...numbered("ws-gateway", ["ws-gateway"]), ...rest];
}

const numbered = (name: string, services: readonly ServiceName[]): NodeSpec[] =>
  [1, 2].map(n => ({ name: `${name}-${n}`, services }));
