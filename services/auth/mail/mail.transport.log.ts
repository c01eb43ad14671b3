import type { MailTransport } from "./mail";

/** Writes mail to the log, for development: what it says can be read there, links included. */
export function logTransport(log: (message: string) => void): MailTransport {
  return {
    async send({ to, subject, text }) {
      log(`mail to ${to}: ${subject}\n${text}`);
    },
    close: () => undefined,
  };
}
