import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Stage } from "../support/client";
import { describeEmbedded, startServer, type Server } from "../support/server";

describeEmbedded("who steals the store", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ env: {} });
  });

  /** Every byte that is kept, the journal too. */
  const bytes = (folder: string): Buffer =>
    Buffer.concat(
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => readFileSync(join(entry.parentPath, entry.name))),
    );

  test("finds no password and no token in it that lets him in (S07: inside)", async () => {
    const stage = await Stage.on(server);
    const user = await stage.user("ann", { password: "a-canary-of-a-password" });
    const again = await stage.nobody.post("/api/auth/refresh", { refreshToken: user.refreshToken });
    const [, family = "", secret = ""] = (again.body.refreshToken as string).split(".");
    const kept = bytes(server.process.dataDir);
    expect(kept.includes(user.username)).toBe(true);
    for (const stolen of [user.password, family, secret, user.token as string, again.body.accessToken as string])
      expect(kept.includes(stolen)).toBe(false);
    for (const part of [family, secret]) expect(Buffer.from(part, "base64url").length).toBeGreaterThanOrEqual(16);
    await stage.end();
  });
});
