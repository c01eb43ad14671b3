export type Environment = Record<string, string | undefined>;

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
  "REQUIRE_",
];
const OWN_NAMES_LIKE =
  /^(ACCESS|REFRESH)_TOKEN|^ADMIN_|^METRICS_|^DATA_DIR|^WS_|^ALLOWED_|^TRUSTED_PROX|^REGISTRATION|^EMAIL_VERIF|^MAIL_FROM|^PUBLIC_URL|^GUESTS/;

/** The environment by our names alone. What two names say differently is added to the problems. */
export function withAliases(environment: Environment, problems: string[]): Environment {
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

/** Whether a name can only be meant for us. */
export const isOurs = (name: string): boolean =>
  OWN_PREFIXES.some(prefix => name.startsWith(prefix)) || OWN_NAMES_LIKE.test(name);

/** What orchestrators put into the environment for services of ours (`WS_GATEWAY_SERVICE_HOST`, `ROOKERY_PORT=tcp://...`). */
export const isInjected = (name: string, value = ""): boolean =>
  /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP)(_[A-Z]+)?$/.test(name) ||
  (/_PORT$/.test(name) && /^(tcp|udp):\/\//.test(value));
