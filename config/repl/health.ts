import { command } from "./command";
import { bytes, iso, many, paragraphs, span, table } from "./format";
import type { NodeEntry, Operator } from "./operator";

/** Milliseconds of delay from which an event loop counts as busy, and as too busy. */
const BUSY = 50;
const STUCK = 250;

async function nodeHealth(operator: Operator, node: NodeEntry) {
  const [health, vitals, sockets] = await Promise.all([
    operator.askNode(node, "node.health", {}),
    operator.askNode(node, "node.vitals", {}),
    node.services.includes("ws-gateway") ? operator.askNode(node, "ws-gateway.sockets", { limit: 1 }) : null,
  ]);
  const about = { node: node.id, services: node.services };
  if (!health.answer) return { ...about, status: "away" as const, problem: health.problem };
  const { status, checks } = health.answer;
  return {
    ...about,
    status,
    missing: Object.keys(checks).filter(name => checks[name] === "down"),
    ...(vitals.answer ?? {}),
    ...(sockets?.answer && { sockets: sockets.answer.total }),
  };
}

export const health = command({
  name: "health",
  description: "every node: can it work and if not for want of what, version, uptime, sockets, event loop, memory",
  async ask(operator) {
    const nodes = await Promise.all(operator.nodes().map(node => nodeHealth(operator, node)));
    return { at: iso(Date.now()), ok: nodes.length > 0 && nodes.every(({ status }) => status === "ok"), nodes };
  },
  ok: ({ ok }) => ok,
  show({ nodes, ok }, paint) {
    const versions = new Set(nodes.flatMap(node => ("version" in node ? (node.version ?? []) : [])));
    return paragraphs(
      table(
        paint,
        ["node", "services", "state", "version", "up", "sockets", "loop lag", "memory"],
        nodes.map(node => {
          const { services, status } = node;
          const { version = "", uptime, sockets, lag, memory } = "problem" in node ? ({} as Partial<Alive>) : node;
          const missing = "missing" in node ? node.missing : [];
          return [
            node.node,
            services.length > 3 ? `${services.slice(0, 3).join(" ")} +${services.length - 3}` : services.join(" "),
            status === "ok"
              ? paint.green("ready")
              : paint.red(status === "away" ? (node.problem ?? "away") : `without ${missing.join(", ")}`),
            version,
            uptime === undefined ? "" : span(uptime * 1000),
            sockets === undefined ? "" : String(sockets),
            lag === undefined ? "" : coloured(paint, lag.max)(`${lag.max} ms`),
            memory === undefined ? "" : bytes(memory.resident),
          ];
        }),
      ),
      nodes.length === 0
        ? paint.red("there is no node")
        : ok
          ? paint.green(`${many(nodes.length, "node")}, all ready`)
          : paint.red(
              `${nodes.filter(({ status }) => status !== "ok").length} of ${many(nodes.length, "node")} not ready`,
            ),
      versions.size > 1 ? paint.yellow(`versions differ: ${[...versions].join(", ")}`) : "",
    );
  },
});

type Alive = Extract<Awaited<ReturnType<typeof nodeHealth>>, { missing: string[] }>;

const coloured = (paint: Parameters<typeof table>[0], lag: number): ((text: string) => string) =>
  lag >= STUCK ? paint.red : lag >= BUSY ? paint.yellow : text => text;
