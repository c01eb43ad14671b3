import type { CollectionSpec, Documents } from "../../../mixins/documents";
import type { Clock } from "../../core/clock";
import { newId } from "../../core/ids";
import { jittered } from "../../core/jitter";
import type { MailKind } from "./letters";
import { Undeliverable, type Mail, type MailTransport } from "./mail";

/**
 * A mail to be written and sent. It is written when it is sent: whether there is somebody to get it is found out then, so
 * that whoever asks for it learns nothing, and no secret waits in the store.
 */
export interface MailRequest {
  id: string;
  /** What is asked for. That an address is taken is found out when the mail is written. */
  kind: Exclude<MailKind, "taken">;
  /** Address. */
  to: string;
  /** Id of the user it is about, where that is known. */
  user?: string;
  /** What it is about, by id: a change of e-mail, an invitation. */
  about?: string;
  /** Milliseconds since the epoch, like `dueAt`. */
  since: number;
  dueAt: number;
  tries: number;
}

export const MAILS: CollectionSpec = { collection: "mails", indexes: [{ name: "dueAt", fields: ["dueAt"] }] };

/** Mails that may wait; beyond it none is taken. */
const WAITING = 10_000;
/** Milliseconds before a mail that could not be sent is tried again, doubled each time up to the longest. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 1_800_000;
/** Milliseconds after which a mail is given up. */
const PATIENCE = 86_400_000;
/** Milliseconds in which one node sends a mail: until then no other takes it up. More than any try may take. */
const CLAIM = 120_000;
const TRY = 60_000;
/** Mails of one round, and of it those sent at a time. */
const BATCH = 100;
const TOGETHER = 4;

export interface OutboxParts {
  mails: Documents<MailRequest>;
  transport: MailTransport;
  clock: Clock;
  /** The mail itself; null if there is nobody to get it, or nothing to say any more. */
  write(request: MailRequest): Promise<Mail | null>;
  /** Told of a mail that is not sent. Never its text. */
  lost(why: string, about: { kind: MailKind; mail: string }): void;
  /** Told of a try that failed. */
  failed(error: unknown): void;
}

/** Mails on their way: stored before anybody is told, sent at least once, by one node at a time. */
export class Outbox {
  constructor(private readonly parts: OutboxParts) {}

  /** Durable when it resolves. Silent where there are too many: what it says must not depend on who asks. */
  async put(request: Pick<MailRequest, "kind" | "to" | "user" | "about">): Promise<void> {
    const { mails, clock, lost } = this.parts;
    const mail: MailRequest = { ...request, id: newId(), since: clock.now(), dueAt: clock.now(), tries: 0 };
    if ((await mails.count()) >= WAITING) return lost("too many mails wait", { kind: mail.kind, mail: mail.id });
    await mails.insert(mail);
  }

  /** Sends what is due. Resolves to how many it tried. */
  async sweep(): Promise<number> {
    const { mails, clock } = this.parts;
    const due = await mails.find({ where: { dueAt: { $lte: clock.now() } }, sort: "dueAt", limit: BATCH });
    for (let from = 0; from < due.length; from += TOGETHER)
      await Promise.all(due.slice(from, from + TOGETHER).map(({ id }) => this.deliver(id)));
    return due.length;
  }

  private async deliver(id: string): Promise<void> {
    const { mails, clock, lost, failed } = this.parts;
    const mail = await this.claim(id);
    if (!mail) return;
    const about = { kind: mail.kind, mail: id };
    try {
      await this.send(mail);
      await mails.remove(id);
    } catch (error) {
      failed(error);
      const spent = clock.now() - mail.since >= PATIENCE;
      if (spent || error instanceof Undeliverable) {
        lost(spent ? "given up after a day" : error instanceof Error ? error.message : "refused", about);
        return void (await mails.remove(id));
      }
      const pause = jittered(Math.min(FIRST_PAUSE * 2 ** (mail.tries - 1), LONGEST_PAUSE));
      await mails.update(id, known => ({ ...known, dueAt: clock.now() + pause }));
    }
  }

  /** Null if another node has it, or it is gone. */
  private async claim(id: string): Promise<MailRequest | null> {
    const { mails, clock } = this.parts;
    let mine = false;
    const mail = await mails.update(id, known => {
      mine = known.dueAt <= clock.now();
      return mine ? { ...known, dueAt: clock.now() + CLAIM, tries: known.tries + 1 } : null;
    });
    return mine ? mail : null;
  }

  private async send(request: MailRequest): Promise<void> {
    const mail = await this.parts.write(request);
    if (!mail) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the mail server does not answer")), TRY).unref();
    });
    await Promise.race([this.parts.transport.send(mail, request.id), late]).finally(() => clearTimeout(timer));
  }
}
