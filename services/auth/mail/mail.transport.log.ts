import type { MailTransport } from "./mail";

/**
 * Writes mail to the log, for development: what it says can be read there, links included. Each of its lines is one of the
 * log's: what stands behind "password:" on the same line is struck out there, and line breaks are not shown as such.
 */
export function logTransport(log: (message: string) => void): MailTransport {
  return {
    async send({ to, subject, text }) {
      log(`mail to ${to}: ${subject}`);
      for (const line of text.split("\n")) if (line !== "") log(`  ${line}`);
    },
    close: () => undefined,
  };
}
