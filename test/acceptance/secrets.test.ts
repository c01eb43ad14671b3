import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Stage, unique } from "../support/client";
import { describeOwn, startServer, type Server } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { temporaryFolder } from "../support/temp";

describeOwn("secrets", () => {
  let stage: Stage;
  let server: Server;
  const logFile = join(temporaryFolder(), "rookery.log");
  const adminPassword = "canary-admin-7f3a";
  const jwtSecret = "f7c2b9e4a1d8c3b6e9f0a5d2c7b4e1f8a3d6";

  beforeAll(async () => {
    const env = { LOG_FILE: logFile, LOG_LEVEL: "trace", ADMIN_PASSWORD: adminPassword, JWT_SECRET: jwtSecret };
    server = await startServer({ env });
    stage = await Stage.on(server);
  });

  test("passwords, tokens and texts of messages are never in stdout, stderr or LOG_FILE, at any level (S61: inside)", async () => {
    const password = "canary-password-91c";
    const canaries = {
      password,
      admin: adminPassword,
      secret: jwtSecret,
      text: "canary-text-4e2",
      wrong: "canary-wrong-2b8",
    };
    const user = await stage.user("canary", { password });
    const room = await stage.channel([user]);
    const login = (body: unknown) => stage.nobody.post("/api/auth/login", body);
    await login({ username: user.username, password: canaries.wrong });
    await login({ username: canaries.wrong, password: { $gt: canaries.password } });
    await login({ username: user.username, password, more: canaries.wrong });
    await stage.nobody.raw("POST", "/api/auth/login", `{"password":"${canaries.wrong}`, {
      "content-type": "application/json",
    });
    await stage.nobody.get(`/api/users/me?access_token=${user.token}`);
    await stage.nobody.as(`${user.token}x`).get("/api/users/me");
    await user.post(`/api/channels/${room}/messages`, { text: canaries.text, metadata: { password: canaries.wrong } });
    await user.post(`/api/channels/${room}/messages`, { text: [canaries.text] });
    const socket = await user.socket([room]);
    await socket.request({ t: "send", room, text: canaries.text });
    await socket.request({ t: "auth", token: `${user.token}x` });
    await socket.request({ t: "call", method: "users.updateMe", params: { password: canaries.wrong } });
    const refreshed = await stage.nobody.post("/api/auth/refresh", { refreshToken: user.refreshToken });
    await stage.nobody.post("/api/auth/refresh", { refreshToken: user.refreshToken });
    const file = await user.raw("POST", "/api/files?name=x.txt", new TextEncoder().encode(canaries.text));
    const link = await user.get(`/api/files/${file.body.id}/link`);
    await stage.nobody.get(link.body.url);
    // Over WebSockets, its token stands in the address.
    await (await SignalrClient.open(server.url, user.token as string)).close();
    await stage.end();
    expect(new Set(await server.end())).toEqual(new Set([0]));

    const tokens = [
      user.token,
      user.refreshToken,
      refreshed.body.accessToken,
      refreshed.body.refreshToken,
      stage.admin.token,
    ];
    const signature = new URL(link.body.url, server.url).searchParams.get("signature") ?? unique("none");
    const logs = { output: server.output, file: readFileSync(logFile, "utf8") };
    expect(logs.file.length).toBeGreaterThan(1_000);
    for (const [where, log] of Object.entries(logs))
      for (const secret of [...Object.values(canaries), ...tokens, signature]) {
        const at = log.indexOf(secret as string);
        expect({ where, found: at < 0 ? null : log.slice(Math.max(0, at - 120), at + 20) }).toEqual({
          where,
          found: null,
        });
      }
  });
});
