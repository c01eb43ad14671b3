import { command, Mistake, wholeOf } from "./command";
import { list, many } from "./format";
import { shortNode, type NodeEntry, type Operator } from "./operator";

/** Seconds over which clients are sent away, unless given, and at most. */
const SECONDS = 30;
const MOST = 3_600;

export const drain = command({
  name: "drain",
  takes: "<gateway>",
  description: "sends the sockets of a ws-gateway elsewhere, before it is stopped",
  options: { seconds: { type: "string", short: "s", meaning: `spread over so many seconds, ${SECONDS} unless given` } },
  async ask(operator, { given: [name = ""], options }) {
    const seconds = wholeOf(options.seconds, SECONDS, MOST);
    const gateway = theGateway(operator, name);
    const others = gateways(operator).filter(({ id, available }) => available && id !== gateway.id);
    const answer = await operator.ask("ws-gateway.drain", { seconds }, gateway.id);
    return { gateway: gateway.id, ...answer, others: others.map(({ id }) => id) };
  },
  show({ gateway, sockets, seconds, others }, paint) {
    return [
      `${paint.bold(gateway)} takes no new sockets; ${many(sockets, "socket")} of it told to leave within ${seconds} s`,
      others.length > 0
        ? paint.dim(`there is also ${list(others.map(shortNode))}; stop it when \`health\` shows no sockets there`)
        : paint.yellow("there is no other ws-gateway: clients come back to nothing"),
    ].join("\n");
  },
});

const gateways = (operator: Operator): NodeEntry[] =>
  operator.nodes().filter(({ services }) => services.includes("ws-gateway"));

/** By its name, the short form of it, or any part that only one has. Throws Mistake. */
function theGateway(operator: Operator, name: string): NodeEntry {
  const live = gateways(operator).filter(({ available }) => available);
  const exact = live.filter(({ id }) => id === name || shortNode(id) === name);
  const fitting = exact.length > 0 ? exact : live.filter(({ id }) => id.includes(name));
  const [found] = fitting;
  if (fitting.length === 1 && found) return found;
  const there = live.length > 0 ? `there is ${list(live.map(({ id }) => id))}` : "there is none";
  throw new Mistake(`${fitting.length === 0 ? "no" : "more than one"} ws-gateway is named "${name}"; ${there}`);
}
