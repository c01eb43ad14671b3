import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bool, cleanEnv, makeValidator, str, type ReporterOptions } from "envalid";
import { LIMITS, type LimitName, type Limits, type RateLimitMode } from "../services/core/limits";

/** Everything that can be set from outside: read once, validated by name, printed redacted. Nobody else reads `process.env`. */
export interface Config {
  production: boolean;
  host: string;
  port: number;
  wsPort: number;
  metricsPort: number;
  dataDir: string;
  /** Null: a random one is made and printed once. */
  adminPassword: string | null;
  jwt: { secret: string; issuer: string; audience: string; /** Seconds. */ accessTtl: number; refreshTtl: number };
  /** Names of the services of this process. */
  services: ServiceName[];
  /** Null in the embedded shape. */
  cluster: { transporter: string; mongoUrl: string } | null;
  s3: { endpoint: string; bucket: string; accessKey: string; secretKey: string } | null;
  rateLimit: RateLimitMode;
  limits: Limits;
  /** Origins besides our own that browsers may come from. */
  allowedOrigins: string[];
  /** Peers whose X-Forwarded-For is believed: addresses or CIDR blocks. */
  trustedProxies: string[];
  engine: "auto" | "uws" | "ws";
  log: { level: LogLevel; format: "pretty" | "json"; file: string | null };
  /** OTLP/HTTP endpoint for spans; null: no spans are exported. */
  otlpEndpoint: string | null;
  /** Share of traces that are sampled, 0 to 1. */
  traceSampling: number;
  /** Sample rooms and messages besides the admin user. */
  seedDemo: boolean;
  signalr: { /** Seconds. */ keepAlive: number; handshakeTimeout: number };
}

export const SERVICE_NAMES = [
  "api-gateway",
  "ws-gateway",
  "auth",
  "users",
  "rooms",
  "messages",
  "presence",
  "files",
] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Names that the documents use; each is another spelling of one of ours. */
const ALIASES: Record<string, string> = {
  Jwt__Key: "JWT_SECRET",
  Jwt__Issuer: "JWT_ISSUER",
  Jwt__Audience: "JWT_AUDIENCE",
  SignalR__KeepAliveInterval: "SIGNALR_KEEP_ALIVE",
  SignalR__HandshakeTimeout: "SIGNALR_HANDSHAKE_TIMEOUT",
  Limits__MaxMessageSize: "LIMIT_TEXT",
  RateLimit__RequestsPerMinute: "LIMIT_REQUESTS_PER_MINUTE",
};
const CONNECTION_STRING = "ConnectionStrings__DefaultConnection";

/** Prefixes of names that are ours alone: an unknown name with one of them is a spelling mistake, and refused. */
const OWN_PREFIXES = [
  "ROOKERY_",
  "LIMIT_",
  "JWT_",
  "S3_",
  "RATE_",
  "SIGNALR_",
  "Jwt__",
  "SignalR__",
  "Limits__",
  "RateLimit__",
  "ConnectionStrings__",
];
const OWN_NAMES_LIKE = /^(ACCESS|REFRESH)_TOKEN|^ADMIN_|^METRICS_|^DATA_DIR|^WS_|^ALLOWED_|^TRUSTED_PROX/;

const MIN_SECRET = 32;
const WEAK_SECRETS = /^(.)\1*$|(?<![a-z])(secret|change-?me|password|default|your|example)(?![a-z])|0123456789/i;

export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`Configuration is not valid:\n${problems.map(problem => `  ${problem}`).join("\n")}`);
    this.name = "ConfigError";
  }
}

const whole = (min: number, max: number) =>
  makeValidator<number>(input => {
    const value = Number(input);
    if (!/^\d+$/.test(input) || value < min || value > max)
      throw new Error(`give a whole number from ${min} to ${max}`);
    return value;
  });
const port = whole(0, 65_535);
const seconds = whole(1, 10 * 365 * 86_400);
const share = makeValidator<number>(input => {
  const value = Number(input);
  if (input.trim() === "" || !(value >= 0 && value <= 1)) throw new Error("give a number from 0 to 1");
  return value;
});
const list = makeValidator<string[]>(input =>
  input
    .split(",")
    .map(part => part.trim())
    .filter(Boolean),
);
const scheme = (...allowed: string[]) =>
  makeValidator<string>(input => {
    if (!allowed.some(prefix => input.startsWith(`${prefix}://`)))
      throw new Error(`give a URL that starts with ${allowed.map(a => `${a}://`).join(" or ")}`);
    return input;
  });
const nats = scheme("nats", "tls");
const mongo = scheme("mongodb", "mongodb+srv");
const http = scheme("http", "https");
const services = makeValidator<ServiceName[]>(input => {
  const names = input
    .split(",")
    .map(part => part.trim())
    .filter(Boolean);
  if (names.length === 1 && names[0] === "all") return [...SERVICE_NAMES];
  const unknown = names.filter(name => !(SERVICE_NAMES as readonly string[]).includes(name));
  if (unknown.length || names.length === 0)
    throw new Error(`no service named ${unknown.join(", ") || "(none)"}; there are ${SERVICE_NAMES.join(", ")}`);
  return names as ServiceName[];
});
const origins = makeValidator<string[]>(input =>
  input
    .split(",")
    .map(part => part.trim())
    .filter(Boolean)
    .map(part => {
      const url = URL.canParse(part) ? new URL(part) : null;
      if (!url || url.origin !== part.replace(/\/$/, ""))
        throw new Error(`${part} is not an origin like https://chat.example.com`);
      return url.origin;
    }),
);
const limit = whole(1, 2 ** 31);

const limitVariable = (name: LimitName): string =>
  `LIMIT_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`;
const limitValidators = Object.fromEntries(
  (Object.keys(LIMITS) as LimitName[]).map(name => [limitVariable(name), limit({ default: LIMITS[name] })]),
);

const VARIABLES = {
  NODE_ENV: str({ default: "development" }),
  HOST: str({ default: "127.0.0.1" }),
  PORT: port({ default: 3000 }),
  WS_PORT: port({ default: 3001 }),
  METRICS_PORT: port({ default: 3030 }),
  DATA_DIR: str({ default: "./data" }),
  ADMIN_PASSWORD: str({ default: undefined }),
  JWT_SECRET: str({ default: undefined }),
  JWT_ISSUER: str({ default: "rookery" }),
  JWT_AUDIENCE: str({ default: "rookery" }),
  ACCESS_TOKEN_TTL: seconds({ default: 600 }),
  REFRESH_TOKEN_TTL: seconds({ default: 2_592_000 }),
  SERVICES: services({ default: [...SERVICE_NAMES] }),
  TRANSPORTER: nats({ default: undefined }),
  MONGO_URL: mongo({ default: undefined }),
  S3_ENDPOINT: http({ default: undefined }),
  S3_BUCKET: str({ default: undefined }),
  S3_ACCESS_KEY: str({ default: undefined }),
  S3_SECRET_KEY: str({ default: undefined }),
  RATE_LIMIT: str({ choices: ["on", "count", "off"], default: "on" }),
  ALLOWED_ORIGINS: origins({ default: [] }),
  TRUSTED_PROXIES: list({ default: [] }),
  ROOKERY_ENGINE: str({ choices: ["auto", "uws", "ws"], default: "auto" }),
  ROOKERY_DEMO: bool({ default: true }),
  LOG_LEVEL: str({ choices: LOG_LEVELS, default: "info" }),
  LOG_FORMAT: str({ choices: ["pretty", "json"], default: undefined }),
  LOG_FILE: str({ default: undefined }),
  OTEL_EXPORTER_OTLP_ENDPOINT: http({ default: undefined }),
  ROOKERY_TRACE_SAMPLING: share({ default: 1 }),
  SIGNALR_KEEP_ALIVE: seconds({ default: 15 }),
  SIGNALR_HANDSHAKE_TIMEOUT: seconds({ default: 15 }),
  ...limitValidators,
};

type Environment = Record<string, string | undefined>;

/**
 * Reads the environment. Throws ConfigError that names every unknown or bad value at once.
 * In the embedded shape a missing JWT_SECRET is made and kept in DATA_DIR.
 */
export function loadConfig(environment: Environment): Config {
  const problems: string[] = [];
  const env = withAliases(environment, problems);
  for (const name of Object.keys(env))
    if (isOurs(name) && !Object.hasOwn(VARIABLES, name)) problems.push(`${name}: there is no such setting`);

  const reporter = ({ errors }: ReporterOptions<Record<string, unknown>>): void => {
    for (const [name, error] of Object.entries(errors)) problems.push(`${name}: ${reason(error as Error)}`);
  };
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const values = cleanEnv(present, VARIABLES, { reporter: reporter as never }) as Readonly<Record<string, unknown>> & {
    [K in keyof typeof VARIABLES]: unknown;
  };
  const text = (name: keyof typeof VARIABLES): string | null => (values[name] as string | undefined) ?? null;
  const number = (name: keyof typeof VARIABLES): number => values[name] as number;

  const production = text("NODE_ENV") === "production";
  const transporter = text("TRANSPORTER");
  const mongoUrl = text("MONGO_URL");
  if (Boolean(transporter) !== Boolean(mongoUrl))
    problems.push("TRANSPORTER and MONGO_URL: give both for a cluster node, neither for one process");
  const s3Names = ["S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"] as const;
  const s3Missing = s3Names.filter(name => !text(name));
  if (s3Missing.length > 0 && s3Missing.length < s3Names.length)
    problems.push(`${s3Missing.join(", ")}: missing beside the other S3 settings`);

  let secret = text("JWT_SECRET");
  if (secret !== null && Buffer.byteLength(secret) < MIN_SECRET)
    problems.push(`JWT_SECRET: give at least ${MIN_SECRET} bytes`);
  else if (secret !== null && production && WEAK_SECRETS.test(secret))
    problems.push("JWT_SECRET: looks like a default; give random bytes");
  if (secret === null && (transporter || production))
    problems.push(
      `JWT_SECRET: required ${transporter ? "in a cluster" : "in production"}, at least ${MIN_SECRET} random bytes`,
    );
  const adminPassword = text("ADMIN_PASSWORD");
  if (adminPassword !== null && (adminPassword.length < 8 || Buffer.byteLength(adminPassword) > 72))
    problems.push("ADMIN_PASSWORD: give at least 8 characters and at most 72 bytes");
  else if (adminPassword !== null && production && /^(admin|password|changeme|12345678).*/i.test(adminPassword))
    problems.push("ADMIN_PASSWORD: looks like a default");
  if (problems.length > 0) throw new ConfigError(problems);

  const dataDir = text("DATA_DIR") as string;
  secret ??= keptSecret(dataDir);
  return {
    production,
    host: text("HOST") as string,
    port: number("PORT"),
    wsPort: number("WS_PORT"),
    metricsPort: number("METRICS_PORT"),
    dataDir,
    adminPassword,
    jwt: {
      secret,
      issuer: text("JWT_ISSUER") as string,
      audience: text("JWT_AUDIENCE") as string,
      accessTtl: number("ACCESS_TOKEN_TTL"),
      refreshTtl: number("REFRESH_TOKEN_TTL"),
    },
    services: values.SERVICES as ServiceName[],
    cluster: transporter && mongoUrl ? { transporter, mongoUrl } : null,
    s3:
      s3Missing.length === 0
        ? {
            endpoint: text("S3_ENDPOINT") as string,
            bucket: text("S3_BUCKET") as string,
            accessKey: text("S3_ACCESS_KEY") as string,
            secretKey: text("S3_SECRET_KEY") as string,
          }
        : null,
    rateLimit: values.RATE_LIMIT as RateLimitMode,
    limits: Object.fromEntries(
      (Object.keys(LIMITS) as LimitName[]).map(name => [name, values[limitVariable(name) as keyof typeof values]]),
    ) as unknown as Limits,
    allowedOrigins: values.ALLOWED_ORIGINS as string[],
    trustedProxies: values.TRUSTED_PROXIES as string[],
    engine: values.ROOKERY_ENGINE as Config["engine"],
    log: {
      level: values.LOG_LEVEL as LogLevel,
      format: (values.LOG_FORMAT as "pretty" | "json" | undefined) ?? (production ? "json" : "pretty"),
      file: text("LOG_FILE"),
    },
    otlpEndpoint: text("OTEL_EXPORTER_OTLP_ENDPOINT"),
    traceSampling: number("ROOKERY_TRACE_SAMPLING"),
    seedDemo: values.ROOKERY_DEMO as boolean,
    signalr: { keepAlive: number("SIGNALR_KEEP_ALIVE"), handshakeTimeout: number("SIGNALR_HANDSHAKE_TIMEOUT") },
  };
}

/** The effective values for the log: secrets only as whether they are set, credentials in URLs struck out. */
export function describeConfig(config: Config): Record<string, unknown> {
  const secret = (value: string | null): string => (value === null ? "none" : "[set]");
  const url = (value: string): string => value.replace(/\/\/[^@/]*@/, "//[set]@");
  return {
    ...config,
    adminPassword: secret(config.adminPassword),
    jwt: { ...config.jwt, secret: secret(config.jwt.secret) },
    cluster: config.cluster && { transporter: url(config.cluster.transporter), mongoUrl: url(config.cluster.mongoUrl) },
    s3: config.s3 && { ...config.s3, accessKey: secret(config.s3.accessKey), secretKey: secret(config.s3.secretKey) },
  };
}

function withAliases(environment: Environment, problems: string[]): Environment {
  const env = { ...environment };
  const rename = (alias: string, name: string): void => {
    if (env[alias] === undefined) return;
    if (env[name] !== undefined && env[name] !== env[alias])
      problems.push(`${alias}: ${name} is set too, to another value`);
    else env[name] = env[alias];
    delete env[alias];
  };
  for (const [alias, name] of Object.entries(ALIASES)) rename(alias, name);
  const connection = env[CONNECTION_STRING];
  if (connection !== undefined) {
    if (/^mongodb/.test(connection)) rename(CONNECTION_STRING, "MONGO_URL");
    else {
      const folder = /^Data Source=(.+?);?$/i.exec(connection)?.[1];
      if (folder) env[CONNECTION_STRING] = folder;
      else problems.push(`${CONNECTION_STRING}: give mongodb://... or "Data Source=FOLDER"`);
      rename(CONNECTION_STRING, "DATA_DIR");
    }
  }
  for (const name of ["SIGNALR_KEEP_ALIVE", "SIGNALR_HANDSHAKE_TIMEOUT"]) {
    const span = /^(\d+):(\d\d):(\d\d)$/.exec(env[name] ?? "");
    if (span) env[name] = String(Number(span[1]) * 3600 + Number(span[2]) * 60 + Number(span[3]));
  }
  return env;
}

const isOurs = (name: string): boolean =>
  OWN_PREFIXES.some(prefix => name.startsWith(prefix)) || OWN_NAMES_LIKE.test(name);

const reason = (error: Error): string => (error.message || "not valid").replace(/^Invalid value.*?: /, "");

/** The secret of an embedded installation: made once, readable by its owner only. */
function keptSecret(dataDir: string): string {
  const file = join(dataDir, "jwt.secret");
  if (!existsSync(file)) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(48).toString("base64url"), { mode: 0o600, flag: "wx" });
  }
  return readFileSync(file, "utf8").trim();
}
