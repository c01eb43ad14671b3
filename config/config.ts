import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bool, cleanEnv, makeValidator, str, type ReporterOptions } from "envalid";
import { makeDurableFolder, syncFolder } from "../mixins/durable-folder";
import { TrustedProxies } from "../services/core/client-address";
import { parseProviders, type OidcProvider } from "./oidc";
import { LIMITS, MAX_RETENTION_DAYS, type LimitName, type Limits, type RateLimitMode } from "../services/core/limits";

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
  /** Encrypts what is kept of second factors; null: a key made of the token secret does. */
  secretsKey: string | null;
  oidc: OidcProvider[];
  /** Names of the services of this process. */
  services: ServiceName[];
  /** Null in the embedded shape. */
  cluster: { transporter: string; mongoUrl: string } | null;
  /** Days that messages are kept where their room says nothing else; 0: for ever. */
  retentionDays: number;
  /** Days that records of the audit log are kept; 0: for ever. */
  auditDays: number;
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
  /** The operator's console is opened on this process's terminal. */
  repl: boolean;
  signalr: { /** Seconds. */ keepAlive: number; handshakeTimeout: number };
  /** `smtpUrl` null: mail is written to the log, and in production there is none. */
  mail: { smtpUrl: string | null; from: string | null };
  /** Where browsers find this installation, and links in mail lead; null: the origin. Without a slash at its end. */
  publicUrl: string | null;
  accounts: {
    registration: "open" | "invited" | "closed";
    /** Nobody who has registered signs in before he has shown that his e-mail is his. */
    verification: boolean;
    guests: boolean;
    /** After so many days without use a guest is removed. */
    guestDays: number;
    /** bcrypt's: 2 to the power of it are the rounds. */
    passwordCost: number;
  };
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
  "RETENTION_",
  "AUDIT_",
  "SMTP_",
  "GUEST_",
  "OIDC_",
];
const OWN_NAMES_LIKE =
  /^(ACCESS|REFRESH)_TOKEN|^ADMIN_|^METRICS_|^DATA_DIR|^WS_|^ALLOWED_|^TRUSTED_PROX|^REGISTRATION|^EMAIL_VERIF|^MAIL_FROM|^PUBLIC_URL|^GUESTS/;

const MIN_SECRET = 32;
/** The least cost of a password that is not given away with the store. */
const SAFE_COST = 10;
/** Different characters that a random secret of this length surely has. */
const DISTINCT = 12;
const WEAK_SECRETS = /^(.)\1*$|(?<![a-z])(secret|change-?me|password|default|your|example)(?![a-z])|0123456789/i;

/** Names every setting that is wrong, one a line. Values are never in it: they may be secrets. */
export class ConfigError extends Error {
  /** An operator's mistake, not a defect: shown without a stack. */
  readonly expected = true;

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
const days = makeValidator<number>(input => {
  const value = Number(input);
  if (!/^\d+(\.\d+)?$/.test(input) || value > MAX_RETENTION_DAYS)
    throw new Error(`give a number from 0 to ${MAX_RETENTION_DAYS}`);
  return value;
});
const share = makeValidator<number>(input => {
  const value = Number(input);
  if (input.trim() === "" || !(value >= 0 && value <= 1)) throw new Error("give a number from 0 to 1");
  return value;
});
const parts = (input: string): string[] =>
  input
    .split(",")
    .map(part => part.trim())
    .filter(Boolean);
const proxies = makeValidator<string[]>(input => {
  const entries = parts(input);
  new TrustedProxies(entries);
  return entries;
});
const hostName = makeValidator<string>(input => {
  if (!/^[A-Za-z0-9_.:-]+$/.test(input)) throw new Error("give an address or a host name, without port and scheme");
  return input;
});
/** Seconds, or the time span of the documents (`00:00:15`). */
const span = makeValidator<number>(input => {
  const [, hours, minutes, rest] = /^(\d+):([0-5]\d):([0-5]\d)$/.exec(input) ?? [];
  const value = hours ? Number(hours) * 3600 + Number(minutes) * 60 + Number(rest) : Number(input);
  if (!/^[\d:]+$/.test(input) || !Number.isInteger(value) || value < 1 || value > 3600)
    throw new Error("give whole seconds from 1 to 3600, or hh:mm:ss");
  return value;
});
const scheme = (...allowed: string[]) =>
  makeValidator<string>(input => {
    if (!allowed.some(prefix => input.startsWith(`${prefix}://`)) || input.endsWith("://"))
      throw new Error(`give a URL that starts with ${allowed.map(a => `${a}://`).join(" or ")}`);
    return input;
  });
const nats = scheme("nats", "tls");
const mongo = scheme("mongodb", "mongodb+srv");
const http = scheme("http", "https");
const smtp = scheme("smtp", "smtps");
const publicUrl = makeValidator<string>(input => {
  const url = URL.canParse(input) ? new URL(input) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username)
    throw new Error("give a URL like https://chat.example.com");
  return input.replace(/\/+$/, "");
});
const mailbox = makeValidator<string>(input => {
  if (!/^[^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>$|^[^\s<>@]+@[^\s<>@]+$/.test(input))
    throw new Error("give an address, or a name and <address>");
  return input;
});
const oidcProviders = makeValidator<OidcProvider[]>(parseProviders);
const services = makeValidator<ServiceName[]>(input => {
  const names = parts(input);
  if (names.length === 1 && names[0] === "all") return [...SERVICE_NAMES];
  const unknown = names.filter(name => !(SERVICE_NAMES as readonly string[]).includes(name));
  if (unknown.length || names.length === 0)
    throw new Error(`no service named ${unknown.join(", ") || "(none)"}; there are ${SERVICE_NAMES.join(", ")}`);
  return [...new Set(names)] as ServiceName[];
});
const origins = makeValidator<string[]>(input =>
  parts(input).map(part => {
    const url = URL.canParse(part) ? new URL(part) : null;
    if (!url || url.origin !== part.replace(/\/$/, ""))
      throw new Error("give origins like https://chat.example.com, separated by commas");
    return url.origin;
  }),
);
const limit = whole(1, 2 ** 31);

const limitVariable = (name: LimitName): string =>
  `LIMIT_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`;

const LIMIT_MEANINGS: Record<LimitName, string> = {
  text: "characters of a message's text",
  metadata: "bytes of a message's metadata as JSON",
  attachments: "attachments of a message",
  frame: "bytes of a frame and of a JSON body",
  file: "bytes of a file",
  rooms: "rooms in one hello or sub, and of one socket",
  page: "items of a page at most",
  pageDefault: "items of a page when the request says nothing",
  watch: "users in one watch",
  emoji: "different emoji on one message",
  pins: "pinned messages of a room",
  markUnread: "messages back from the last that one may mark as unread",
  group: "members named when a group is made",
  groupMembers: "members of a group",
  largeRoom: "members above which a room is large: passive subscriptions, silent receipts and typing",
  friends: "friends of one user",
  friendRequests: "requests of one user to be friends that nobody has answered",
  friendRequestsPerHour: "people whom one user asks to be friends in an hour",
  blocks: "people whom one user blocks",
  signInsPerMinute: "sign-ins and registrations a minute and address",
  requestsPerMinute: "REST requests a minute and user (address, without a token)",
  sendsPerSecond: "messages a second and user, over all doors",
  sendBurst: "messages a user may send at once",
  framesPerSecond: "frames of one socket a second that are not sends",
  frameBurst: "such frames at once",
  socketsPerUser: "open sockets of one user at one gateway",
  socketsPerAddress: "open sockets of one address at one gateway",
  sockets: "open sockets of one gateway",
  floodPerSecond: "whatever one socket says, a second; who says more is closed",
  floodBurst: "the same at once",
  strangersPerAddress: "sockets of one address at one gateway that have not said hello",
  hellos: "hellos that one gateway answers at a time",
  waiting: "MiB that wait in one gateway for clients who read slowly; beyond it the slowest are closed",
  memory: "MiB of a process, at most 80 % of its container's, beyond which its gateway takes no more sockets",
};
const limitVariables = Object.fromEntries(
  (Object.keys(LIMITS) as LimitName[]).map(name => [
    limitVariable(name),
    limit({ default: LIMITS[name], desc: LIMIT_MEANINGS[name] }),
  ]),
);

/** Every setting: how it is read, what holds when it is not given (`none`: nothing), what it means. */
const VARIABLES = {
  NODE_ENV: str({ default: "development", desc: "`production` refuses default, short and missing secrets" }),
  HOST: hostName({ default: "127.0.0.1", desc: "address of every port" }),
  PORT: port({ default: 3000, desc: "the origin: REST, pages and sockets" }),
  WS_PORT: port({ default: 3001, desc: "own port of the ws-gateway" }),
  METRICS_PORT: port({
    default: 3030,
    desc: "`GET /metrics` for Prometheus, `/health/live`, `/health/ready`; 0 takes any free port",
  }),
  DATA_DIR: str({ default: "./data", desc: "embedded store, files, generated secret" }),
  ADMIN_PASSWORD: str({ ...none("random, printed once"), desc: "password of the user `admin`, when it is first made" }),
  JWT_SECRET: str({ ...none("made and kept in DATA_DIR"), desc: "signs access tokens: at least 32 random bytes" }),
  JWT_ISSUER: str({ default: "rookery", desc: "`iss` of access tokens" }),
  JWT_AUDIENCE: str({ default: "rookery", desc: "`aud` of access tokens" }),
  ACCESS_TOKEN_TTL: seconds({ default: 600, desc: "seconds an access token lives" }),
  REFRESH_TOKEN_TTL: seconds({ default: 2_592_000, desc: "seconds a refresh token lives" }),
  SECRETS_KEY: str({
    ...none("made of JWT_SECRET"),
    desc: "encrypts second factors in the store: at least 32 random bytes; give the former JWT_SECRET here when that is changed",
  }),
  OIDC_PROVIDERS: oidcProviders({
    ...none(),
    desc: "JSON list of identity providers that people may sign in with (docs/signing-in.md); needs PUBLIC_URL",
  }),
  SERVICES: services({ ...none("all"), desc: "comma list of the services of this process" }),
  TRANSPORTER: nats({ ...none(), desc: "`nats://...`: this is a node of a cluster; needs MONGO_URL" }),
  MONGO_URL: mongo({ ...none(), desc: "`mongodb://...`: the store of the cluster; needs TRANSPORTER" }),
  S3_ENDPOINT: http({ ...none(), desc: "files are kept in S3 at this URL; all four S3 settings or none" }),
  S3_BUCKET: str({ ...none(), desc: "bucket for files" }),
  S3_ACCESS_KEY: str({ ...none(), desc: "access key for S3" }),
  S3_SECRET_KEY: str({ ...none(), desc: "secret key for S3" }),
  RETENTION_DAYS: days({
    default: 365,
    desc: "days that messages are kept, where their room says nothing else; parts of a day are taken, 0 keeps for ever",
  }),
  AUDIT_DAYS: days({ default: 365, desc: "days that records of the audit log are kept; 0 keeps for ever" }),
  RATE_LIMIT: str({
    choices: ["on", "count", "off"],
    default: "on",
    desc: "`count` evaluates and meters but refuses nobody; `off` does neither",
  }),
  ALLOWED_ORIGINS: origins({ ...none("the origin itself"), desc: "comma list of origins browsers may come from" }),
  TRUSTED_PROXIES: proxies({ ...none(), desc: "addresses or CIDR blocks whose X-Forwarded-For is believed" }),
  ROOKERY_ENGINE: str({
    choices: ["auto", "uws", "ws"],
    default: "auto",
    desc: "socket engine: uWebSockets.js or the portable one",
  }),
  ROOKERY_DEMO: bool({ default: true, desc: "sample channels and messages in a new store" }),
  ROOKERY_REPL: bool({ default: false, desc: "opens the operator's console in this process, if it has a terminal" }),
  LOG_LEVEL: str({ choices: LOG_LEVELS, default: "info", desc: "fatal, error, warn, info, debug or trace" }),
  LOG_FORMAT: str({
    choices: ["pretty", "json"],
    ...none("json in production, else pretty"),
    desc: "form of the log lines on stdout",
  }),
  LOG_FILE: str({ ...none(), desc: "JSON lines are appended here too; opened anew on SIGHUP" }),
  OTEL_EXPORTER_OTLP_ENDPOINT: http({ ...none(), desc: "spans are sent to this OTLP/HTTP collector" }),
  ROOKERY_TRACE_SAMPLING: share({ default: 1, desc: "share of the traces that begin here that are kept, 0 to 1" }),
  SIGNALR_KEEP_ALIVE: span({ default: 15, desc: "seconds between pings of SignalR connections" }),
  SIGNALR_HANDSHAKE_TIMEOUT: span({ default: 15, desc: "seconds a SignalR handshake may take" }),
  SMTP_URL: smtp({
    ...none("mail is written to the log; in production none is sent"),
    desc: "`smtp://user:password@host:587` or `smtps://`: mail goes out through this server",
  }),
  MAIL_FROM: mailbox({ ...none("Rookery <no-reply@ the host of PUBLIC_URL>"), desc: "sender of mail" }),
  PUBLIC_URL: publicUrl({
    ...none("the origin"),
    desc: "where browsers find this installation: links in mail lead there",
  }),
  REGISTRATION: str({
    choices: ["open", "invited", "closed"],
    default: "open",
    desc: "who may make an account: everybody, who has an invitation, nobody",
  }),
  EMAIL_VERIFICATION: str({
    choices: ["off", "required"],
    default: "off",
    desc: "`required`: who registers signs in once his e-mail is verified",
  }),
  GUESTS: bool({ default: false, desc: "anybody may come in as a guest, without an account" }),
  GUEST_DAYS: whole(1, 3_650)({ default: 7, desc: "days after its last use that a guest is removed" }),
  PASSWORD_COST: whole(
    4,
    15,
  )({
    default: 10,
    desc: "bcrypt's cost of new passwords: each more doubles the time, 10 takes about 55 ms; production refuses less. Others are made anew when their owner signs in",
  }),
  ...limitVariables,
};

/** Nothing by default; `example` carries the words for the table. */
function none(words = "none"): { default: undefined; example: string } {
  return { default: undefined, example: words };
}

export interface Setting {
  name: string;
  default: string;
  meaning: string;
}

/** Every setting with its default and meaning, in the order of the documents. */
export function settingsTable(): Setting[] {
  const specs = VARIABLES as Record<string, { default?: unknown; example?: string; desc?: string }>;
  return Object.entries(specs).map(([name, { default: value, example, desc }]) => ({
    name,
    default: value === undefined ? (example ?? "none") : String(value),
    meaning: desc ?? "",
  }));
}

type Environment = Record<string, string | undefined>;

/**
 * Reads the environment. Throws ConfigError that names every unknown or bad value at once.
 * In the embedded shape a missing JWT_SECRET is made and kept in DATA_DIR.
 */
export function loadConfig(environment: Environment): Config {
  const problems: string[] = [];
  const env = withAliases(environment, problems);
  for (const name of Object.keys(env))
    if (isOurs(name) && !Object.hasOwn(VARIABLES, name) && !isInjected(name, env[name]))
      problems.push(`${name}: there is no such setting`);

  const reporter = ({ errors }: ReporterOptions<Record<string, unknown>>): void => {
    for (const [name, error] of Object.entries(errors)) problems.push(`${name}: ${reason(error as Error, env[name])}`);
  };
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const values = { ...cleanEnv(present, VARIABLES, { reporter: reporter as never }) } as Record<string, unknown>;
  const text = (name: keyof typeof VARIABLES): string | null => (values[name] as string | undefined) ?? null;
  const number = (name: keyof typeof VARIABLES): number => values[name] as number;

  const production = text("NODE_ENV") === "production";
  const transporter = text("TRANSPORTER");
  const mongoUrl = text("MONGO_URL");
  if (Boolean(present.TRANSPORTER) !== Boolean(present.MONGO_URL))
    problems.push("TRANSPORTER and MONGO_URL: give both for a cluster node, neither for one process");
  const s3Names = ["S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"] as const;
  const s3Missing = s3Names.filter(name => !present[name]);
  if (s3Missing.length > 0 && s3Missing.length < s3Names.length)
    problems.push(`${s3Missing.join(", ")}: missing beside the other S3 settings`);

  const ports = [number("PORT"), number("WS_PORT")];
  if (number("METRICS_PORT") > 0 && ports.includes(number("METRICS_PORT")))
    problems.push("METRICS_PORT: must differ from PORT and WS_PORT");

  let secret = text("JWT_SECRET");
  if (secret !== null && Buffer.byteLength(secret) < MIN_SECRET)
    problems.push(`JWT_SECRET: give at least ${MIN_SECRET} bytes`);
  else if (secret !== null && production && (WEAK_SECRETS.test(secret) || new Set(secret).size < DISTINCT))
    problems.push("JWT_SECRET: looks like a default; give random bytes");
  if (secret === null && (transporter || production))
    problems.push(
      `JWT_SECRET: required ${transporter ? "in a cluster" : "in production"}, at least ${MIN_SECRET} random bytes`,
    );
  const secretsKey = text("SECRETS_KEY");
  if (secretsKey !== null && Buffer.byteLength(secretsKey) < MIN_SECRET)
    problems.push(`SECRETS_KEY: give at least ${MIN_SECRET} bytes`);
  if (present.OIDC_PROVIDERS && !present.PUBLIC_URL)
    problems.push("PUBLIC_URL: OIDC_PROVIDERS needs it: providers send browsers back there");
  const oidc = (values.OIDC_PROVIDERS as OidcProvider[] | undefined) ?? [];
  // Else anybody could register with an address of somebody who is yet to come, and share the account with him.
  if (oidc.some(({ link }) => link === "email") && values.EMAIL_VERIFICATION !== "required")
    problems.push('OIDC_PROVIDERS: link "email" needs EMAIL_VERIFICATION=required: addresses here have to be verified');
  const adminPassword = text("ADMIN_PASSWORD");
  if (adminPassword !== null && (adminPassword.length < 8 || Buffer.byteLength(adminPassword) > 72))
    problems.push("ADMIN_PASSWORD: give at least 8 characters and at most 72 bytes");
  else if (adminPassword !== null && production && /^(admin|password|changeme|12345678).*/i.test(adminPassword))
    problems.push("ADMIN_PASSWORD: looks like a default");
  if (production && values.EMAIL_VERIFICATION === "required" && !present.SMTP_URL)
    problems.push("EMAIL_VERIFICATION: needs SMTP_URL");
  if (production && number("PASSWORD_COST") < SAFE_COST)
    problems.push(`PASSWORD_COST: give at least ${SAFE_COST} in production`);
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
    secretsKey,
    oidc,
    services: (values.SERVICES as ServiceName[] | undefined) ?? [...SERVICE_NAMES],
    cluster: transporter && mongoUrl ? { transporter, mongoUrl } : null,
    retentionDays: number("RETENTION_DAYS"),
    auditDays: number("AUDIT_DAYS"),
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
      (Object.keys(LIMITS) as LimitName[]).map(name => [name, values[limitVariable(name)]]),
    ) as unknown as Limits,
    allowedOrigins: (values.ALLOWED_ORIGINS as string[] | undefined) ?? [],
    trustedProxies: (values.TRUSTED_PROXIES as string[] | undefined) ?? [],
    engine: values.ROOKERY_ENGINE as Config["engine"],
    log: {
      level: values.LOG_LEVEL as LogLevel,
      format: (values.LOG_FORMAT as "pretty" | "json" | undefined) ?? (production ? "json" : "pretty"),
      file: text("LOG_FILE"),
    },
    otlpEndpoint: text("OTEL_EXPORTER_OTLP_ENDPOINT"),
    traceSampling: number("ROOKERY_TRACE_SAMPLING"),
    seedDemo: values.ROOKERY_DEMO as boolean,
    repl: values.ROOKERY_REPL as boolean,
    signalr: { keepAlive: number("SIGNALR_KEEP_ALIVE"), handshakeTimeout: number("SIGNALR_HANDSHAKE_TIMEOUT") },
    mail: { smtpUrl: text("SMTP_URL"), from: text("MAIL_FROM") },
    publicUrl: text("PUBLIC_URL"),
    accounts: {
      registration: values.REGISTRATION as Config["accounts"]["registration"],
      verification: values.EMAIL_VERIFICATION === "required",
      guests: values.GUESTS as boolean,
      guestDays: number("GUEST_DAYS"),
      passwordCost: number("PASSWORD_COST"),
    },
  };
}

/** The effective values for the log: secrets only as whether they are set, credentials in URLs struck out. */
export function describeConfig(config: Config): Record<string, unknown> {
  const secret = (value: string | null): string => (value === null ? "none" : "[set]");
  const url = (value: string): string => value.replace(/\/\/[^@/]*@/, "//[set]@");
  return {
    ...config,
    adminPassword: secret(config.adminPassword),
    secretsKey: secret(config.secretsKey),
    oidc: config.oidc.map(provider => ({ ...provider, clientSecret: secret(provider.clientSecret) })),
    jwt: { ...config.jwt, secret: secret(config.jwt.secret) },
    cluster: config.cluster && { transporter: url(config.cluster.transporter), mongoUrl: url(config.cluster.mongoUrl) },
    mail: { ...config.mail, smtpUrl: config.mail.smtpUrl && url(config.mail.smtpUrl) },
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
  return env;
}

const isOurs = (name: string): boolean =>
  OWN_PREFIXES.some(prefix => name.startsWith(prefix)) || OWN_NAMES_LIKE.test(name);

/** What orchestrators put into the environment for services of ours (`WS_GATEWAY_SERVICE_HOST`, `ROOKERY_PORT=tcp://...`). */
const isInjected = (name: string, value = ""): boolean =>
  /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP)(_[A-Z]+)?$/.test(name) ||
  (/_PORT$/.test(name) && /^(tcp|udp):\/\//.test(value));

/** The validator's words, without the value: it may be a secret under the wrong name. */
function reason(error: Error, value = ""): string {
  const choices = /not in choices \[(.*)\]/.exec(error.message)?.[1];
  if (choices) return `give one of ${choices.replaceAll(",", ", ")}`;
  if (/invalid bool input/i.test(error.message)) return "give true or false";
  const message = error.message || "not valid";
  return value.length > 3 ? message.replaceAll(value, "(the value)") : message;
}

/**
 * The secret of an embedded installation: made once, readable by its owner only. It gets its name when it is complete, so
 * of two starts at once both read the same one.
 */
function keptSecret(dataDir: string): string {
  const file = join(dataDir, "jwt.secret");
  try {
    const secret = readSecret(file) ?? makeSecret(dataDir, file);
    if (Buffer.byteLength(secret) >= MIN_SECRET) return secret;
  } catch (error) {
    throw new ConfigError([`DATA_DIR: cannot keep the token secret in ${dataDir} (${codeOf(error)})`]);
  }
  throw new ConfigError([`DATA_DIR: ${file} is damaged; remove it and everybody signs in anew`]);
}

function readSecret(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

function makeSecret(dataDir: string, file: string): string {
  makeDurableFolder(dataDir);
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(draft, randomBytes(48).toString("base64url"), { mode: 0o600, flag: "wx", flush: true });
    linkSync(draft, file);
    syncFolder(dataDir);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(file, "utf8").trim();
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);
