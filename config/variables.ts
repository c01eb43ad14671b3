import { bool, makeValidator, str } from "envalid";
import { TrustedProxies } from "../services/core/client-address";
import { parseProviders, type OidcProvider } from "./oidc";
import { ROLES, type Role } from "../services/core/permissions";
import { LIMITS, MAX_RETENTION_DAYS, type LimitName } from "../services/core/limits";

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
const roles = makeValidator<Role[]>(input => {
  const names = parts(input);
  const unknown = names.filter(name => !(ROLES as readonly string[]).includes(name));
  if (unknown.length) throw new Error(`no role named ${unknown.join(", ")}; there are ${ROLES.join(", ")}`);
  return ROLES.filter(role => names.includes(role));
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

export const limitVariable = (name: LimitName): string =>
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
export const VARIABLES = {
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
  REQUIRE_SECOND_FACTOR_FOR: roles({
    ...none(),
    desc: "comma list of roles: who has one signs in, and may nothing before he has set up a second factor",
  }),
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
