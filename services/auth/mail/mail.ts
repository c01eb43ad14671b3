/** A mail ready to be sent. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
}

/** How mail leaves this process. */
export interface MailTransport {
  /** Resolves when the next server has taken the mail over; `id` stays the same when it is sent again. */
  send(mail: Mail, id: string): Promise<void>;
  close(): void;
}

/** The address will never take this mail: trying again is of no use. */
export class Undeliverable extends Error {
  override readonly name = "Undeliverable";
}
