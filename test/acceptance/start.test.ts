import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Rest } from "../support/rest";
import { eventually, within } from "../support/eventually";
import { describeEmbedded, freePorts, isFree, ROOT, ServerProcess, startServer, type Server } from "../support/server";
import { temporaryFolder } from "../support/temp";

// What one process says at its start; a cluster's nodes have theirs in test/integration.
describeEmbedded("start", () => {
  let server: Server;

  beforeAll(async () => {
    server = await startServer();
  });

  const another = async (env: Record<string, string>, dataDir = temporaryFolder()) =>
    new ServerProcess(dataDir, await freePorts(), env).startAndEnd();

  test("the ready line names the origin, and health answers ok from then on", async () => {
    expect(server.process.output).toMatch(new RegExp(`^ready ${server.url}$`, "m"));
    const health = await new Rest(server.url).get("/api/health");
    expect(health).toMatchObject({ status: 200, body: { status: "ok" } });
  });

  test("a second start on the same DATA_DIR is refused by name and leaves the first alone", async () => {
    const second = await another({}, server.process.dataDir);
    expect(second.code).not.toBe(0);
    expect(second.output).toContain("DATA_DIR");
    expect(second.output).toContain(server.process.dataDir);
    expect(second.output).not.toMatch(/^ready/m);
    expect((await new Rest(server.url).get("/api/health")).status).toBe(200);
  });

  test.each(["PORT", "METRICS_PORT", "WS_PORT"])("a taken %s is refused by name", async name => {
    const taken = { PORT: "port", METRICS_PORT: "metricsPort", WS_PORT: "wsPort" } as const;
    const port = server.process.ports[taken[name as keyof typeof taken]];
    const second = await another({ [name]: String(port) });
    expect(second.code).not.toBe(0);
    expect(second.output).toContain(String(port));
    expect(second.output).not.toMatch(/^ready/m);
    expect((await new Rest(server.url).get("/api/health")).status).toBe(200);
  });

  test.each([
    ["an unknown service", { SERVICES: "auth,nonsense" }, "nonsense"],
    ["an unknown setting of ours", { LIMIT_TEXTS: "5" }, "LIMIT_TEXTS"],
    ["a port that is none", { PORT: "seventy" }, "PORT"],
    ["a short secret", { JWT_SECRET: "short" }, "JWT_SECRET"],
    ["a mode that is none", { RATE_LIMIT: "maybe" }, "RATE_LIMIT"],
    ["a transporter without a database", { TRANSPORTER: "nats://127.0.0.1:4222" }, "MONGO_URL"],
    ["a database without a transporter", { MONGO_URL: "mongodb://127.0.0.1/x" }, "TRANSPORTER"],
    ["production without a secret", { NODE_ENV: "production" }, "JWT_SECRET"],
    ["production with a default secret", { NODE_ENV: "production", JWT_SECRET: "change-me-".repeat(5) }, "JWT_SECRET"],
  ])("%s ends the start and is named", async (_, env, name) => {
    const end = await another(env);
    expect(end.code).not.toBe(0);
    expect(end.output).toContain(name);
    expect(end.output).not.toMatch(/^ready/m);
  });

  test("a bad setting is named without its value", async () => {
    const end = await another({ JWT_SECRET: "tooshortbutsecret" });
    expect(end.output).not.toContain("tooshortbutsecret");
  });

  test("a random admin password is printed once, opens the account, and is not printed by the next start", async () => {
    const own = new ServerProcess(temporaryFolder(), await freePorts(), { ADMIN_PASSWORD: "" });
    await own.start();
    const line = /^admin password: (\S+)$/m;
    await own.until(() => line.test(own.output));
    const password = line.exec(own.output)?.[1];
    const login = await new Rest(own.url).post("/api/auth/login", { username: "admin", password });
    expect(login).toMatchObject({ status: 200, body: { user: { username: "admin", roles: ["Admin"] } } });
    expect((await own.stop()).code).toBe(0);
    const before = own.output.length;
    await own.start();
    expect(own.output.slice(before)).not.toMatch(line);
    const again = await new Rest(own.url).post("/api/auth/login", { username: "admin", password });
    expect(again.status).toBe(200);
    // The token of the first start holds: the secret was kept.
    expect((await new Rest(own.url, login.body.accessToken).get("/api/users/me")).status).toBe(200);
    await own.stop();
  });

  test("the names of the documents are aliases", async () => {
    const own = new ServerProcess(temporaryFolder(), await freePorts(), {
      Jwt__Key: "0f9a8d7c6b5e4f3a2b1c0d9e8f7a6b5c4d3e",
      Jwt__Issuer: "somebody",
      Jwt__Audience: "everybody",
      Limits__MaxMessageSize: "10",
    });
    await own.start();
    const login = await new Rest(own.url).post("/api/auth/login", { username: "admin", password: own.adminPassword });
    const claims = JSON.parse(Buffer.from(login.body.accessToken.split(".")[1], "base64url").toString());
    expect(claims).toMatchObject({ iss: "somebody", aud: "everybody" });
    expect((await new Rest(own.url).get("/api/config")).body.limits.text).toBe(10);
    await own.stop();
  });

  test("SIGTERM to the server ends it with 0 within 15 s and frees its ports", async () => {
    const own = await startServer();
    const { code, ms } = await own.process.stop();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(15_000);
    expect(await isFree(own.process.ports.port)).toBe(true);
    expect(await isFree(own.process.ports.metricsPort)).toBe(true);
  });

  test.each(["npm", "the server"])(
    "after npm start, SIGTERM to %s ends both with 0 within 15 s",
    async whom => {
      const own = new ServerProcess(temporaryFolder(), await freePorts(), {});
      const npm = spawn("npm", ["start"], { cwd: ROOT, env: own.environment(), stdio: ["ignore", "pipe", "pipe"] });
      try {
        let output = "";
        npm.stdout.on("data", data => (output += String(data)));
        const ended = new Promise<number | null>(resolve => npm.on("exit", resolve));
        await eventually(
          "ready, or ended",
          () => /^ready http/m.test(output) || npm.exitCode !== null,
          Boolean,
          60_000,
        );
        expect(output).toMatch(/^ready http/m);
        const server = childrenOf(npm.pid as number)[0] as number;
        expect(server).toBeDefined();
        process.kill(whom === "npm" ? (npm.pid as number) : server, "SIGTERM");
        expect(await within(15_000, "the end of npm", ended)).toBe(0);
        await eventually("the end of the server", () => !isAlive(server));
        expect(await isFree(own.ports.port)).toBe(true);
      } finally {
        if (npm.exitCode === null) npm.kill("SIGKILL");
      }
    },
    90_000,
  );
});

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
