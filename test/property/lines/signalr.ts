import type { Body } from "../../support/rest";
import { SignalrClient, type SignalrTransport } from "../../support/signalr";
import { within } from "../../support/eventually";
import type { Told } from "../model";
import type { Call } from "../operation";
import { InOrder, refused, UNKNOWN, type Answer, type Entry, type Line, type Wire } from "./line";

const PATIENCE = 15_000;

const EVENTS: Readonly<Record<string, string>> = {
  ReceiveMessage: "message",
  ReceivePrivateMessage: "message",
  MessageUpdated: "edit",
  MessageDeleted: "delete",
  ReactionChanged: "reaction",
};

/**
 * Messages and what becomes of them, by the number of the last one it had. The wire promises to tell what was sent while it
 * was away, not what was changed: so it fetches the messages it has whenever it comes back.
 */
export const signalr = (transport: SignalrTransport): Wire => ({
  name: `signalr-${transport}`,
  knows: { everything: false, offsets: false },
  async open({ client: { token }, url, room, isDirect, had }: Entry) {
    const client = SignalrClient.made(url, token as string, { transport });
    try {
      await within(PATIENCE, "a SignalR connection", client.hub.start());
      if (isDirect)
        return { line: new SignalrLine(client, room, null), entered: { state: "live", offset: null, notes: false } };
      const args = had ? [room, had.lastSeq] : [room];
      const joined = await within(PATIENCE, "JoinChannel", client.invoke("JoinChannel", ...args)).catch(codeOf);
      if (typeof joined !== "string") {
        const line = new SignalrLine(client, room, had ? had.lastSeq : joined.lastSeq);
        return { line, entered: { state: "replayed", offset: null, notes: false } };
      }
      if (refused(joined).state !== "refused") throw new Error(`not joined: ${joined}`);
      return { line: new SignalrLine(client, room, null), entered: { state: "denied", offset: null, notes: false } };
    } catch (error) {
      await client.close();
      throw error;
    }
  },
});

/** The code in what the library rejects with: "... HubException: CODE: detail". */
const codeOf = (error: unknown): string => /\b([A-Z]{3,}(?:_[A-Z]+)*): /.exec(String(error))?.[1] ?? "CLOSED";

class SignalrLine implements Line {
  readonly n = null;
  readonly epoch = null;
  private readonly all: Told[] = [];
  private readonly order: InOrder;
  private read = 0;

  constructor(
    private readonly client: SignalrClient,
    private readonly room: string,
    last: number | null,
  ) {
    this.order = new InOrder(last);
  }

  get isOpen(): boolean {
    return this.client.hub.state === "Connected";
  }

  get told(): readonly Told[] {
    for (const { called } = this.client; this.read < called.length; this.read += 1) {
      const { name, args } = called[this.read] as { name: string; args: Body[] };
      const [about, data] = args;
      const kind = EVENTS[name];
      if (!kind || (name === "ReceivePrivateMessage" ? data.channelId : about) !== this.room) continue;
      if (kind === "message") this.order.took(data.seq);
      this.all.push({ what: "event", kind, data, offset: null });
    }
    return this.all;
  }

  get broken(): readonly string[] {
    return this.order.broken;
  }

  ask({ hub }: Call): Promise<Answer> | null {
    if (!hub) return null;
    const [name, ...args] = hub;
    return within(PATIENCE, name, this.client.invoke(name, ...args)).then(
      (message: Body): Answer => ({ state: "ok", body: { message } }),
      (error: unknown) => {
        const code = codeOf(error);
        return code === "CLOSED" ? UNKNOWN : refused(code);
      },
    );
  }

  async end(): Promise<void> {
    await this.client.close().catch(() => undefined);
  }
}
