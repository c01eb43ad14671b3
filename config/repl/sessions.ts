import { command } from "./command";
import { ago, iso, many, paragraphs, table } from "./format";
import { gatewayNames, openSockets, silent } from "./who";

export const sessions = command({
  name: "sessions",
  takes: "<user>",
  description: "the sign-ins of a user and their open sockets",
  async ask(operator, { given: [name = ""] }) {
    const user = await operator.user(name);
    const [found, { sockets, gateways }] = await Promise.all([
      operator.ask("auth.sessions", { user: user.id }),
      openSockets(operator, user.id),
    ]);
    return {
      user,
      sessions: found.map(({ id, createdAt, expiresAt }) => {
        const own = sockets.filter(({ session }) => session === id);
        return {
          id,
          createdAt,
          expiresAt: iso(expiresAt),
          sockets: own.map(({ gateway, address, since }) => ({ gateway, address, since })),
        };
      }),
      gateways,
    };
  },
  show({ user, sessions: found, gateways }, paint) {
    return paragraphs(
      `${paint.bold(user.username)} has ${many(found.length, "session")}`,
      table(
        paint,
        ["session", "signed in", "expires", "sockets", "where", "address"],
        found.map(({ id, createdAt, expiresAt, sockets }) => [
          id,
          ago(createdAt),
          ago(expiresAt),
          sockets.length,
          gatewayNames(sockets.map(({ gateway }) => gateway)),
          [...new Set(sockets.map(({ address }) => address))].join(" "),
        ]),
      ),
      silent(gateways)
        .map(text => paint.red(text))
        .join("\n"),
    );
  },
});
