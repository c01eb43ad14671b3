import { cleanEnv, type ReporterOptions } from "envalid";
import type { OidcProvider } from "./oidc";
import type { Role } from "../services/core/permissions";
import { LIMITS, type LimitName, type Limits, type RateLimitMode } from "../services/core/limits";
import { ConfigError } from "./config-error";
import { keptSecret, MIN_SECRET } from "./kept-secret";
import { isInjected, isOurs, withAliases, type Environment } from "./names";
import { limitVariable, SERVICE_NAMES, VARIABLES, type LogLevel, type ServiceName } from "./variables";

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
    /** Who has one of these may nothing before he has a second factor. */
    secondFactorFor: Role[];
    /** bcrypt's: 2 to the power of it are the rounds. */
    passwordCost: number;
  };
}
/** The least cost of a password that is not given away with the store. */
const SAFE_COST = 10;
/** Different characters that a random secret of this length surely has. */
const DISTINCT = 12;
const WEAK_SECRETS = /^(.)\1*$|(?<![a-z])(secret|change-?me|password|default|your|example)(?![a-z])|0123456789/i;
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
      secondFactorFor: (values.REQUIRE_SECOND_FACTOR_FOR as Role[] | undefined) ?? [],
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
/** The validator's words, without the value: it may be a secret under the wrong name. */
function reason(error: Error, value = ""): string {
  const choices = /not in choices \[(.*)\]/.exec(error.message)?.[1];
  if (choices) return `give one of ${choices.replaceAll(",", ", ")}`;
  if (/invalid bool input/i.test(error.message)) return "give true or false";
  const message = error.message || "not valid";
  return value.length > 3 ? message.replaceAll(value, "(the value)") : message;
}
