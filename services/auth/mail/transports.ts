import type { Config } from "../../../config/config";
import type { MailTransport } from "./mail";
import { logTransport } from "./mail.transport.log";
import { SmtpTransport } from "./mail.transport.smtp";

type MailConfig = Pick<Config, "mail" | "production">;

/** How this installation sends mail; null: it sends none. */
export function transportOf(
  { mail, production }: MailConfig,
  origin: string,
  log: { info(message: string): void },
): MailTransport | null {
  if (mail.smtpUrl !== null)
    return new SmtpTransport(mail.smtpUrl, mail.from ?? `Rookery <no-reply@${new URL(origin).hostname}>`);
  return production ? null : logTransport(message => log.info(message));
}

/** Where links in mails lead. @param port the one that is really listened on, once it is known */
export function publicOrigin(
  { publicUrl, host, port: wanted }: Pick<Config, "publicUrl" | "host" | "port">,
  port: number | null,
): string {
  if (publicUrl !== null) return publicUrl;
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return `http://${shown}:${port ?? wanted}`;
}
