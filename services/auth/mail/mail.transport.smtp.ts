import { isIP } from "node:net";
import type { Transporter } from "nodemailer";
import { Undeliverable, type MailTransport } from "./mail";

/** Milliseconds for each part of a conversation with the server. */
const CONNECT = 10_000;
const SILENCE = 20_000;
const CONNECTIONS = 2;

/**
 * Mail over SMTP. `smtps:` is TLS from the first byte, else STARTTLS where the server offers it. Its certificate is checked
 * with `smtps:` and wherever a password is sent, which is never sent in the clear; not on this machine, and not where
 * encryption is only better than none. `?tls=unverified` leaves the check out.
 */
export class SmtpTransport implements MailTransport {
  private transporter: Promise<Transporter> | undefined;

  constructor(
    private readonly url: string,
    private readonly from: string,
  ) {}

  async send(mail: { to: string; subject: string; text: string; html: string }, id: string): Promise<void> {
    const transporter = await (this.transporter ??= this.open());
    const { subject, text, html } = mail;
    const messageId = `<${id}@${domainOf(this.from)}>`;
    // An object, so that an address is never read as a list of them.
    const to = { name: "", address: mail.to };
    try {
      // Told to be made by a machine: nobody's absence is answered.
      const headers = { "Auto-Submitted": "auto-generated" };
      await transporter.sendMail({ from: this.from, to, subject, text, html, messageId, headers });
    } catch (error) {
      const { code, responseCode = 0 } = error as { code?: string; responseCode?: number };
      const refused = code === "EENVELOPE" || code === "EMESSAGE";
      if (refused && responseCode >= 500) throw new Undeliverable(`the server refuses it (${responseCode})`);
      throw error;
    }
  }

  close(): void {
    void this.transporter?.then(transporter => transporter.close()).catch(() => undefined);
  }

  private async open(): Promise<Transporter> {
    const { createTransport } = await import("nodemailer");
    const url = new URL(this.url);
    const [user, pass] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    const secure = url.protocol === "smtps:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const local = isLoopback(host);
    const verified = !local && (secure || user !== "") && url.searchParams.get("tls") !== "unverified";
    return createTransport({
      pool: true,
      maxConnections: CONNECTIONS,
      host,
      port: Number(url.port) || (secure ? 465 : 587),
      secure,
      requireTLS: !secure && !local && user !== "",
      tls: { rejectUnauthorized: verified, ...(isIP(host) === 0 && { servername: host }) },
      ...(user !== "" && { auth: { user, pass } }),
      connectionTimeout: CONNECT,
      greetingTimeout: CONNECT,
      socketTimeout: SILENCE,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127\./.test(host);

const domainOf = (from: string): string => /@([^\s>]+)/.exec(from)?.[1] ?? "localhost";
