import type { GatewaySocket } from "../../services/core/contract";
import { command } from "./command";
import { ago, bytes, iso, list, many, paragraphs, table } from "./format";
import { shortNode, type Operator } from "./operator";

interface OpenSocket extends Omit<GatewaySocket, "since"> {
  gateway: string;
  since: string;
}

/** Sockets of every gateway, or those of one user; `total` where a gateway has more than it shows. */
export async function openSockets(operator: Operator, user?: string) {
  const answers = await operator.everywhere("ws-gateway.sockets", { ...(user !== undefined && { user }) });
  const sockets = answers.flatMap(({ node, answer }): OpenSocket[] =>
    (answer?.items ?? []).map(socket => ({ gateway: node, ...socket, since: iso(socket.since) })),
  );
  const gateways = answers.map(({ node, answer, problem }) =>
    answer ? { gateway: node, total: answer.total } : { gateway: node, problem },
  );
  return { gateways, sockets };
}

/** Sockets of each user, the longest there first. */
function byUser(sockets: readonly OpenSocket[]) {
  const users = new Map<string, OpenSocket[]>();
  for (const socket of sockets)
    if (socket.user !== null) users.set(socket.user, [...(users.get(socket.user) ?? []), socket]);
  const rows = Array.from(users, ([user, own]) => ({
    user,
    username: own[0]?.username ?? user,
    since: own.map(({ since }) => since).sort()[0] as string,
    sockets: own.length,
    gateways: [...new Set(own.map(({ gateway }) => gateway))].map(gateway => ({
      gateway,
      sockets: own.filter(socket => socket.gateway === gateway).length,
    })),
    rooms: Math.max(...own.map(({ rooms }) => rooms)),
    addresses: [...new Set(own.map(({ address }) => address))],
  }));
  return rows.sort((a, b) => (a.since < b.since ? -1 : 1));
}

/** Addresses of one user that fit into a line. */
const ADDRESSES = 3;

export const who = command({
  name: "who",
  takes: "[user]",
  description: "who is online and where; of one user every socket",
  async ask(operator, { given: [name] }) {
    const user = name === undefined ? null : await operator.user(name);
    const { gateways, sockets } = await openSockets(operator, user?.id);
    return { user, gateways, users: byUser(sockets), sockets };
  },
  show({ user, users, gateways, sockets }, paint) {
    const total = gateways.reduce((sum, gateway) => sum + (gateway.total ?? 0), 0);
    const heading = user
      ? `${user.username} has ${many(sockets.length, "socket")}`
      : users.length === 0
        ? "nobody is online"
        : `${many(users.length, "user")} with ${many(sockets.length, "socket")}`;
    const rows = !user
      ? table(
          paint,
          ["user", "sockets", "rooms", "since", "gateways", "address"],
          users.map(({ username, sockets: count, rooms, since, gateways: where, addresses }) => [
            paint.bold(username),
            count,
            rooms,
            ago(since),
            where.map(one => `${shortNode(one.gateway)} (${one.sockets})`).join(" "),
            addresses.slice(0, ADDRESSES).join(" ") + (addresses.length > ADDRESSES ? " ..." : ""),
          ]),
        )
      : table(
          paint,
          ["gateway", "session", "rooms", "since", "address", "backlog"],
          sockets.map(({ gateway, session, rooms, since, address, backlog }) => [
            shortNode(gateway),
            session ?? "-",
            rooms,
            ago(since),
            address,
            backlog > 0 ? paint.yellow(bytes(backlog)) : "0 B",
          ]),
        );
    const holding = new Set(sockets.map(({ gateway }) => gateway)).size;
    const asked = many(gateways.length, "gateway");
    const strangers = sockets.filter(({ user }) => user === null).length;
    return paragraphs(
      `${paint.bold(heading)} on ${holding === 0 ? asked : `${holding} of ${asked}`}`,
      rows,
      [
        ...(strangers > 0
          ? [`${many(strangers, "socket")} ${strangers === 1 ? "has" : "have"} not said hello yet`]
          : []),
        ...(total > sockets.length ? [paint.dim(`shown are ${sockets.length} of ${total} sockets`)] : []),
        ...silent(gateways).map(text => paint.red(text)),
        ...(gateways.length === 0 ? [paint.red("there is no ws-gateway")] : []),
      ].join("\n"),
    );
  },
});

/** A line for each node that did not answer. */
export const silent = (answers: readonly { gateway: string; problem?: string }[]): string[] =>
  answers.flatMap(({ gateway, problem }) => (problem === undefined ? [] : [`${gateway} ${problem}`]));

/** Names of gateways for a sentence. */
export const gatewayNames = (gateways: Iterable<string>): string => list([...new Set(gateways)].map(shortNode));
