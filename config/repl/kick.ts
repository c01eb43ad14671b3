import { setTimeout as pause } from "node:timers/promises";
import { command, Mistake } from "./command";
import { many } from "./format";
import { gatewayNames, openSockets, silent } from "./who";

/** Milliseconds in which every socket of the session is closed, and between two looks. */
const LIMIT = 3_000;
const LOOK = 50;

export const kick = command({
  name: "kick",
  takes: "<session>",
  description: "ends a session: its tokens are refused, its sockets closed",
  async ask(operator, { given: [id = ""] }) {
    const session = await operator.ask("auth.endSession", { session: id });
    if (!session) throw new Mistake(`there is no session "${id}"; \`sessions USER\` lists those of a user`);
    const startedAt = performance.now();
    const nameOf = await operator.names([session.user]);
    // Gateways hear of it from auth; asking them as well does not depend on that.
    const answers = await operator.everywhere("ws-gateway.kick", { session: id });
    let left = await openSockets(operator, session.user);
    const open = (): typeof left.sockets => left.sockets.filter(socket => socket.session === id);
    while (open().length > 0 && performance.now() - startedAt < LIMIT) {
      await pause(LOOK);
      left = await openSockets(operator, session.user);
    }
    return {
      session: id,
      user: { id: session.user, username: nameOf(session.user) },
      gateways: answers.map(({ node, problem }) => ({ gateway: node, ...(problem !== undefined && { problem }) })),
      open: open().map(({ gateway, address }) => ({ gateway, address })),
      tookMs: Math.round(performance.now() - startedAt),
    };
  },
  ok: ({ open }) => open.length === 0,
  show({ session, user, gateways, open, tookMs }, paint) {
    const closed =
      open.length === 0
        ? `none of its sockets is open any more, ${tookMs} ms later`
        : paint.red(`${many(open.length, "socket")} still open on ${gatewayNames(open.map(({ gateway }) => gateway))}`);
    return [
      `session ${session} of ${paint.bold(user.username)} is ended: its tokens are refused, ${closed}`,
      ...silent(gateways).map(text => paint.red(`${text}; it closes the sockets as soon as it hears of it`)),
    ].join("\n");
  },
});
