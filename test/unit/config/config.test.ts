import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ConfigError } from "../../../config/config-error";
import { describeConfig, loadConfig, type Config } from "../../../config/config";
import { SERVICE_NAMES, settingsTable } from "../../../config/variables";
import { LIMITS } from "../../../services/core/limits";
import { temporaryFolder } from "../../support/temp";

const SECRET = "k3Xv9PqT7wLm2RzB8nYc5HdJ4sGf6AeU";
const S3 = { S3_ENDPOINT: "http://127.0.0.1:9000", S3_BUCKET: "b", S3_ACCESS_KEY: "a", S3_SECRET_KEY: "s" };
const CLUSTER = { TRANSPORTER: "nats://127.0.0.1:4222", MONGO_URL: "mongodb://127.0.0.1/rookery" };

const load = (env: Record<string, string>): Config => loadConfig({ JWT_SECRET: SECRET, ...env });

function problemsOf(env: Record<string, string | undefined>): string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("settings", () => {
  it("have the documented defaults", () => {
    expect(load({})).toEqual({
      production: false,
      secretsKey: null,
      oidc: [],
      retentionDays: 365,
      auditDays: 365,
      host: "127.0.0.1",
      port: 3000,
      wsPort: 3001,
      metricsPort: 3030,
      dataDir: "./data",
      adminPassword: null,
      mail: { smtpUrl: null, from: null },
      publicUrl: null,
      accounts: {
        registration: "open",
        verification: false,
        guests: false,
        guestDays: 7,
        secondFactorFor: [],
        passwordCost: 10,
      },
      jwt: { secret: SECRET, issuer: "rookery", audience: "rookery", accessTtl: 600, refreshTtl: 2_592_000 },
      services: [...SERVICE_NAMES],
      cluster: null,
      s3: null,
      rateLimit: "on",
      repl: false,
      limits: LIMITS,
      allowedOrigins: [],
      trustedProxies: [],
      engine: "auto",
      log: { level: "info", format: "pretty", file: null },
      otlpEndpoint: null,
      traceSampling: 1,
      seedDemo: true,
      signalr: { keepAlive: 15, handshakeTimeout: 15 },
    });
  });

  it.each<[Record<string, string>, (config: Config) => unknown, unknown]>([
    [{ HOST: "0.0.0.0" }, c => c.host, "0.0.0.0"],
    [{ HOST: "::1" }, c => c.host, "::1"],
    [{ PORT: "0" }, c => c.port, 0],
    [{ WS_PORT: "65535" }, c => c.wsPort, 65_535],
    [{ METRICS_PORT: "0", PORT: "0" }, c => c.metricsPort, 0],
    [{ DATA_DIR: "/srv/x" }, c => c.dataDir, "/srv/x"],
    [{ ADMIN_PASSWORD: "12345678" }, c => c.adminPassword, "12345678"],
    [{ ACCESS_TOKEN_TTL: "5" }, c => c.jwt.accessTtl, 5],
    [{ REFRESH_TOKEN_TTL: "60" }, c => c.jwt.refreshTtl, 60],
    [{ SERVICES: "auth, users,auth" }, c => c.services, ["auth", "users"]],
    [{ SERVICES: "all" }, c => c.services, [...SERVICE_NAMES]],
    [{ SERVICES: "" }, c => c.services, [...SERVICE_NAMES]],
    [CLUSTER, c => c.cluster, { transporter: CLUSTER.TRANSPORTER, mongoUrl: CLUSTER.MONGO_URL }],
    [S3, c => c.s3, { endpoint: S3.S3_ENDPOINT, bucket: "b", accessKey: "a", secretKey: "s" }],
    [{ RATE_LIMIT: "count" }, c => c.rateLimit, "count"],
    [{ RATE_LIMIT: "off" }, c => c.rateLimit, "off"],
    [{ ALLOWED_ORIGINS: "https://a.example/, http://b.example:8080" }, c => c.allowedOrigins, ["https://a.example", "http://b.example:8080"]], // prettier-ignore
    [{ TRUSTED_PROXIES: "10.0.0.0/8, ::1" }, c => c.trustedProxies, ["10.0.0.0/8", "::1"]],
    [{ NODE_ENV: "production" }, c => [c.production, c.log.format], [true, "json"]],
    [{ NODE_ENV: "production", LOG_FORMAT: "pretty" }, c => c.log.format, "pretty"],
    [{ ROOKERY_DEMO: "false" }, c => c.seedDemo, false],
    [{ ROOKERY_TRACE_SAMPLING: "0.25" }, c => c.traceSampling, 0.25],
    [{ LIMIT_PAGE_DEFAULT: "7" }, c => c.limits.pageDefault, 7],
    [{ LIMIT_SENDS_PER_SECOND: "3" }, c => c.limits.sendsPerSecond, 3],
    [{ Jwt__Issuer: "me", Jwt__Audience: "you" }, c => [c.jwt.issuer, c.jwt.audience], ["me", "you"]],
    [{ ConnectionStrings__DefaultConnection: "Data Source=./there;" }, c => c.dataDir, "./there"],
    [{ TRANSPORTER: "nats://n", ConnectionStrings__DefaultConnection: "mongodb://m" }, c => c.cluster?.mongoUrl, "mongodb://m"], // prettier-ignore
    [{ SignalR__KeepAliveInterval: "00:01:10" }, c => c.signalr.keepAlive, 70],
    [{ SignalR__HandshakeTimeout: "30" }, c => c.signalr.handshakeTimeout, 30],
    [{ Limits__MaxMessageSize: "99" }, c => c.limits.text, 99],
    [{ RateLimit__RequestsPerMinute: "60" }, c => c.limits.requestsPerMinute, 60],
    [{ WS_GATEWAY_SERVICE_HOST: "10.0.0.1", ROOKERY_PORT: "tcp://10.0.0.1:80", SOMETHING: "else" }, c => c.port, 3000],
  ])("%j is read", (env, pick, expected) => {
    expect(pick(load(env))).toEqual(expected);
  });

  it("takes the documents' name for the secret", () => {
    expect(loadConfig({ Jwt__Key: SECRET }).jwt.secret).toBe(SECRET);
  });

  it.each<[Record<string, string>, string]>([
    [{ PORT: "80a" }, "PORT: give a whole number"],
    [{ PORT: "-1" }, "PORT: give a whole number"],
    [{ PORT: "1e3" }, "PORT: give a whole number"],
    [{ WS_PORT: "65536" }, "WS_PORT: give a whole number"],
    [{ HOST: "http://here" }, "HOST: give an address"],
    [{ METRICS_PORT: "3000" }, "METRICS_PORT: must differ"],
    [{ ACCESS_TOKEN_TTL: "0" }, "ACCESS_TOKEN_TTL: give a whole number"],
    [{ SERVICES: "auth,billing" }, "SERVICES: no service named billing"],
    [{ SERVICES: "," }, "SERVICES: no service named"],
    [{ TRANSPORTER: "nats://n" }, "TRANSPORTER and MONGO_URL: give both"],
    [{ MONGO_URL: "mongodb://m" }, "TRANSPORTER and MONGO_URL: give both"],
    [{ TRANSPORTER: "redis://n", MONGO_URL: "mongodb://m" }, "TRANSPORTER: give a URL that starts with nats://"],
    [{ TRANSPORTER: "nats://n", MONGO_URL: "postgres://m" }, "MONGO_URL: give a URL"],
    [{ ...S3, S3_BUCKET: "" }, "S3_BUCKET: missing"],
    [{ RATE_LIMIT: "maybe" }, "RATE_LIMIT: give one of on, count, off"],
    [{ ALLOWED_ORIGINS: "https://a.example/path" }, "ALLOWED_ORIGINS: give origins"],
    [{ ALLOWED_ORIGINS: "*" }, "ALLOWED_ORIGINS: give origins"],
    [{ TRUSTED_PROXIES: "10.0.0.0/33" }, "TRUSTED_PROXIES: not an address"],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL: give one of"],
    [{ ROOKERY_DEMO: "perhaps" }, "ROOKERY_DEMO: give true or false"],
    [{ ROOKERY_TRACE_SAMPLING: "1.5" }, "ROOKERY_TRACE_SAMPLING: give a number from 0 to 1"],
    [{ LIMIT_TEXT: "0" }, "LIMIT_TEXT: give a whole number"],
    [{ SignalR__KeepAliveInterval: "00:99:00" }, "SIGNALR_KEEP_ALIVE: give whole seconds"],
    [{ ADMIN_PASSWORD: "short" }, "ADMIN_PASSWORD: give at least 8"],
    [{ ADMIN_PASSWORD: "ä".repeat(37) }, "ADMIN_PASSWORD: give at least 8"],
    [{ JWT_SECRET: "x".repeat(31) }, "JWT_SECRET: give at least 32 bytes"],
    [{ ConnectionStrings__DefaultConnection: "Server=sql;Database=x" }, "ConnectionStrings__DefaultConnection: give"],
    [{ Jwt__Key: `${SECRET}!` }, "Jwt__Key: JWT_SECRET is set too"],
    [{ LIMIT_TXT: "9" }, "LIMIT_TXT: there is no such setting"],
    [{ ROOKERY_PORT: "3000" }, "ROOKERY_PORT: there is no such setting"],
    [{ JWT__KEY: SECRET }, "JWT__KEY: there is no such setting"],
    [{ Jwt__Lifetime: "9" }, "Jwt__Lifetime: there is no such setting"],
    [{ METRICS_HOST: "::" }, "METRICS_HOST: there is no such setting"],
  ])("%j is refused by name", (env, problem) => {
    expect(problemsOf({ JWT_SECRET: SECRET, ...env })).toEqual([expect.stringContaining(problem)]);
  });

  it("names everything that is wrong at once, and shows no value", () => {
    const bad = { PORT: "hunter2-a", RATE_LIMIT: "hunter2-b", MONGO_URL: "hunter2-c", LIMIT_FOO: "hunter2-d", JWT_SECRET: "hunter2-e" }; // prettier-ignore
    const problems = problemsOf(bad);
    for (const name of Object.keys(bad))
      expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${name}:`)));
    expect(new ConfigError(problems).message).not.toContain("hunter2");
  });
});

describe("secrets", () => {
  const production = { NODE_ENV: "production" };

  it.each([
    ["no secret", production, "JWT_SECRET: required in production"],
    ["a default", { ...production, JWT_SECRET: "change-me-change-me-change-me-change-me" }, "looks like a default"],
    ["one letter", { ...production, JWT_SECRET: "a".repeat(40) }, "looks like a default"],
    ["a short one", { ...production, JWT_SECRET: "Zk3!" }, "JWT_SECRET: give at least 32"],
    ["a default password", { ...production, JWT_SECRET: SECRET, ADMIN_PASSWORD: "password1" }, "ADMIN_PASSWORD: looks"],
    ["a cheap password", { ...production, JWT_SECRET: SECRET, PASSWORD_COST: "9" }, "PASSWORD_COST: give at least 10"],
    ["a cluster without one", CLUSTER, "JWT_SECRET: required in a cluster"],
  ])("are refused: %s (S04: inside)", (_what, env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(problem)]);
  });

  it("are made once in the embedded shape, for the owner only", () => {
    const dir = join(temporaryFolder(), "new");
    const { secret } = loadConfig({ DATA_DIR: dir }).jwt;
    expect(Buffer.byteLength(secret)).toBeGreaterThanOrEqual(32);
    expect(loadConfig({ DATA_DIR: dir }).jwt.secret).toBe(secret);
    expect(statSync(join(dir, "jwt.secret")).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(["jwt.secret"]);
  });

  it("are the same for starts at once", async () => {
    const dir = temporaryFolder();
    const root = join(__dirname, "../../..");
    const script = `process.stdout.write(require("./config/config.ts").loadConfig({ DATA_DIR: ${JSON.stringify(dir)} }).jwt.secret)`;
    const one = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, ["--import", "tsx", "-e", script], { cwd: root });
        let out = "";
        child.stdout.on("data", data => (out += String(data)));
        child.on("error", reject).on("close", () => resolve(out));
      });
    const secrets = await Promise.all([one(), one(), one(), one()]);
    expect(secrets[0]).toBe(readFileSync(join(dir, "jwt.secret"), "utf8"));
    expect(new Set(secrets).size).toBe(1);
  });

  it("that cannot be kept are told with the folder", () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    expect(problemsOf({ DATA_DIR: join(file, "below") })).toEqual([
      expect.stringMatching(/DATA_DIR: cannot keep.*ENOTDIR/),
    ]);
  });

  it("that were damaged are not used", () => {
    const dir = temporaryFolder();
    writeFileSync(join(dir, "jwt.secret"), "abc");
    expect(problemsOf({ DATA_DIR: dir })).toEqual([expect.stringContaining("is damaged")]);
  });

  (process.getuid?.() === 0 ? it.skip : it)("need a folder that can be written", () => {
    const dir = join(temporaryFolder(), "readonly");
    mkdirSync(dir);
    chmodSync(dir, 0o500);
    expect(problemsOf({ DATA_DIR: dir })).toEqual([expect.stringContaining("EACCES")]);
  });

  it("are struck out of the effective values", () => {
    const url = { TRANSPORTER: "nats://me:canary-1@n:4222", MONGO_URL: "mongodb://me:canary-2@m/x?a=b" };
    const config = load({ ...url, ...S3, S3_SECRET_KEY: "canary-3", ADMIN_PASSWORD: "canary-44" });
    const shown = JSON.stringify(describeConfig(config));
    expect(shown).not.toContain("canary");
    expect(shown).not.toContain(SECRET);
    expect(shown).toContain("nats://[set]@n:4222");
  });
});

describe("the table of settings", () => {
  it("has a default and a meaning for every setting, each once", () => {
    const table = settingsTable();
    expect(new Set(table.map(row => row.name)).size).toBe(table.length);
    expect(table.filter(row => row.default === "" || row.meaning === "")).toEqual([]);
    expect(table.filter(row => row.name.startsWith("LIMIT_"))).toHaveLength(Object.keys(LIMITS).length);
    expect(table).toContainEqual({
      name: "PORT",
      default: "3000",
      meaning: expect.stringContaining("origin") as string,
    });
  });

  it("has every name of the public contract", () => {
    const names = settingsTable().map(row => row.name);
    for (const name of [
      "HOST",
      "PORT",
      "WS_PORT",
      "METRICS_PORT",
      "DATA_DIR",
      "ADMIN_PASSWORD",
      "JWT_SECRET",
      "ACCESS_TOKEN_TTL",
      "REFRESH_TOKEN_TTL",
      "SERVICES",
      "TRANSPORTER",
      "MONGO_URL",
      "S3_ENDPOINT",
      "S3_BUCKET",
      "S3_ACCESS_KEY",
      "S3_SECRET_KEY",
      "RATE_LIMIT",
      "ALLOWED_ORIGINS",
      "NODE_ENV",
    ])
      // prettier-ignore
      expect(names).toContain(name);
  });

  describe("identity providers", () => {
    const provider = {
      id: "company",
      issuer: "https://login.example.com",
      clientId: "rookery",
      clientSecret: "s3cr3t-words",
    };
    const given = (more: object): Record<string, string> => ({
      PUBLIC_URL: "https://chat.example.com/",
      OIDC_PROVIDERS: JSON.stringify([{ ...provider, ...more }]),
    });

    it("are read with their defaults, and printed without their secrets", () => {
      const config = loadConfig({
        DATA_DIR: temporaryFolder(),
        ...given({ roles: { claim: "groups", map: { a: "Moderator" } } }),
      });
      expect(config.publicUrl).toBe("https://chat.example.com");
      expect(config.oidc).toEqual([
        {
          ...provider,
          name: "company",
          scopes: "openid profile email",
          roles: { claim: "groups", map: { a: "Moderator" } },
          link: "never",
        },
      ]);
      expect(JSON.stringify(describeConfig(config))).not.toContain(provider.clientSecret);
    });

    it.each([
      [{ issuer: "http://login.example.com" }, /issuer begins with https/],
      [{ issuer: "login" }, /issuer is a URL/],
      [{ id: "No Id" }, /id has 1 to 32/],
      [{ clientId: undefined }, /clientId is missing/],
      [{ scopes: "profile" }, /scopes include openid/],
      [{ link: "always" }, /link is email or never/],
      [{ roles: { claim: "groups", map: { a: "Chief" } } }, /roles.map leads to/],
      [{ secret: "x" }, /there is no field secret/],
    ])("are refused with %j, by name and without a value", (more, problem) => {
      const load = () => loadConfig({ DATA_DIR: temporaryFolder(), ...given(more) });
      expect(load).toThrow(problem);
      expect(load).not.toThrow(/s3cr3t/);
    });

    it("link by e-mail only where the addresses of accounts are verified", () => {
      const load = (more: object) => loadConfig({ DATA_DIR: temporaryFolder(), ...given({ link: "email" }), ...more });
      for (const more of [{}, { EMAIL_VERIFICATION: "off" }])
        expect(() => load(more)).toThrow(/OIDC_PROVIDERS: link "email" needs EMAIL_VERIFICATION=required/);
      expect(load({ EMAIL_VERIFICATION: "required" }).oidc[0]?.link).toBe("email");
    });

    it("need to know where browsers come back to", () => {
      const { OIDC_PROVIDERS } = given({});
      expect(() => loadConfig({ DATA_DIR: temporaryFolder(), OIDC_PROVIDERS })).toThrow(/PUBLIC_URL/);
    });
  });
});
