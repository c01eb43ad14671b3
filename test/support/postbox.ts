import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";
import { afterFile } from "./cleanup";
import { eventually } from "./eventually";

export interface Letter {
  to: string;
  subject: string;
  text: string;
  html: string;
  headers: Record<string, string>;
  /** The last part of each link, by what it is for. */
  links: Record<string, string>;
}

const LATER = Object.assign(new Error("later"), { responseCode: 451 });

/** A real mail server in this process, which keeps what it is given. */
export class Postbox {
  readonly letters: Letter[] = [];
  /** Mails that it refuses for now, before it takes the next. */
  refuse = 0;

  private constructor(
    private readonly server: SMTPServer,
    readonly url: string,
  ) {}

  static async open(): Promise<Postbox> {
    // It warns of its own certificate, which is good enough here.
    jest.spyOn(console, "error").mockImplementationOnce(() => undefined);
    const got = (raw: Buffer, to: string[]): Promise<void> => postbox.take(raw, to);
    const server = new SMTPServer({
      authOptional: true,
      onRcptTo: (_address, _session, done) => (postbox.refuse-- > 0 ? done(LATER) : done()),
      onData(stream, session, done) {
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        const to = session.envelope.rcptTo.map(({ address }) => address);
        stream.on("end", () => void got(Buffer.concat(parts), to).then(() => done(), done));
      },
    });
    server.on("error", () => undefined);
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.server.address() as { port: number };
    const postbox: Postbox = new Postbox(server, `smtp://127.0.0.1:${port}`);
    afterFile(() => postbox.close());
    return postbox;
  }

  /** The first so many mails to an address with these words in the subject; waits for them. The last of them. */
  async letter(to: string, subject: RegExp, count = 1): Promise<Letter> {
    const found = await eventually(
      `mail ${count} to ${to}: ${subject}`,
      () => this.letters.filter(letter => letter.to === to && subject.test(letter.subject)),
      letters => letters.length >= count,
    );
    return found[count - 1] as Letter;
  }

  async close(): Promise<void> {
    await new Promise<void>(resolve => this.server.close(() => resolve()));
  }

  private async take(raw: Buffer, to: string[]): Promise<void> {
    const { subject = "", text = "", html = "", headers } = await PostalMime.parse(raw);
    const links: Record<string, string> = {};
    for (const [, what, token] of text.matchAll(/account\.html#([a-z-]+)\/(\S+)/g))
      links[what as string] = token as string;
    const named = Object.fromEntries(headers.map(({ key, value }) => [key, value]));
    for (const address of to) this.letters.push({ to: address, subject, text, html, headers: named, links });
  }
}
