import { Stage, say, type Client } from "../support/client";
import { eventually, PATIENCE, within } from "../support/eventually";
import { describeOwn, startServer } from "../support/server";
import { speaker } from "../support/speakers";
import { together } from "../support/together";

/** Seconds. */
const TTL = 3;
/** Milliseconds that clocks of two servers may differ by. */
const LEEWAY = 5_000;

describeOwn("tokens that end", () => {
  let stage: Stage;
  let ann: Client;
  let room: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer({ env: { ACCESS_TOKEN_TTL: String(TTL) } }));
    ann = await stage.user("ann");
    room = await stage.channel([ann]);
  });
  afterAll(() => stage.end());

  const renewed = async (client: Client) => {
    const { status, body } = await stage.nobody.post("/api/auth/refresh", { refreshToken: client.refreshToken });
    expect(status).toBe(200);
    return body as { accessToken: string };
  };

  together(
    {
      "expiresIn is what was configured, and after it the token is refused": async () => {
        const login = await stage.login(ann);
        const { body } = await stage.nobody.post("/api/auth/refresh", { refreshToken: login.refreshToken });
        expect(body.expiresIn).toBe(TTL);
        const ask = () => stage.nobody.as(body.accessToken).get("/api/users/me");
        expect((await ask()).status).toBe(200);
        const refused = await eventually(
          "the token's end",
          ask,
          ({ status }) => status !== 200,
          TTL * 1_000 + LEEWAY + 1_000,
        );
        expect(refused).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
      },

      "a socket is told that its token ends, and is closed with 4101 if no new one comes (S16: native)": async () => {
        const socket = await (await stage.login(ann)).socket();
        const { inMs } = await socket.frame("expiring", frame => frame.t === "expiring");
        expect(inMs).toBeLessThanOrEqual(TTL * 1_000);
        expect(await socket.untilClosed()).toMatchObject({ code: 4101 });
      },

      "a connection of any other wire ends with its token, too, and tells nothing after it (S16: SignalR, Socket.IO, stream)":
        async () => {
          const user = await stage.login(ann);
          const open = await Promise.all(
            (["SignalR", "Socket.IO", "stream"] as const).map(door => speaker(door, stage.server.url, user)),
          );
          for (const one of open) expect([one.door, (await one.join(room)).code]).toEqual([one.door, "ok"]);
          for (const { door, ended } of open)
            await within(
              PATIENCE,
              `${door} ends`,
              ended.then(() => undefined),
            );
          await say(await stage.login(ann), room, "a canary afterwards");
          for (const { door, heard, close } of open) {
            expect([door, heard().includes("canary")]).toEqual([door, false]);
            await close();
          }
        },

      "a new token by auth keeps it open, with its rooms; somebody else's is refused": async () => {
        const user = await stage.login(ann);
        const eve = await stage.user("eve");
        const [kept, lapsed] = await Promise.all([user.socket([room]), user.socket()]);
        const { accessToken } = await renewed(user);
        expect(await kept.request({ t: "auth", token: eve.token })).toMatchObject({ t: "err", code: "FORBIDDEN" });
        expect(await kept.request({ t: "auth", token: "nonsense" })).toMatchObject({
          t: "err",
          code: "UNAUTHENTICATED",
        });
        await lapsed.frame("expiring", frame => frame.t === "expiring");
        expect(await kept.request({ t: "auth", token: accessToken })).toMatchObject({ t: "ok" });
        const keep = setInterval(() => {
          void stage
            .login(ann)
            .then(({ token }) => kept.send({ t: "auth", token }))
            .catch(() => undefined);
        }, 2_000);
        try {
          await lapsed.untilClosed();
          const again = await stage.login(ann);
          const message = await say(again, room, "still there");
          await kept.event(room, message.offset);
        } finally {
          clearInterval(keep);
        }
      },
    },
    60_000,
  );
});
