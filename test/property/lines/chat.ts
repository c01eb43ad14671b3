import type { Body } from "../../support/rest";
import type { Told } from "../model";
import type { Call } from "../operation";
import { InOrder, refused, type Answer, type Entered, type Entry, type Line, type Wire } from "./line";

/** Milliseconds a connection, or an answer, may take. */
export const PATIENCE = 15_000;

/** What a client was told of a room, in the words of the model. */
export interface Heard {
  kind: "message" | "edit" | "delete" | "reaction";
  room: string;
  data: Body;
}

/** What a library of SignalR or Socket.IO is asked for. */
export interface ChatClient {
  readonly isOpen: boolean;
  /** The next thing it was told; null: of no room for good; undefined: nothing yet. */
  next(): Heard | null | undefined;
  join(room: string, afterSeq: number | undefined): Promise<{ lastSeq: number } | { code: string }>;
  ask(call: Call): Promise<Answer> | null;
  close(): Promise<void>;
}

/**
 * Messages and what becomes of them, by the number of the last one it had. Such a wire promises to tell what was sent while
 * one was away, not what was changed: so a client fetches the messages it has whenever it comes back.
 */
export const chatWire = (name: string, connect: (entry: Entry) => Promise<ChatClient>): Wire => ({
  name,
  knows: { everything: false, offsets: false },
  async open(entry) {
    const { room, isDirect, had, isHidden } = entry;
    const client = await connect(entry);
    try {
      if (isDirect) return entering(new ChatLine(client, room, null, isHidden), "live");
      const joined = await client.join(room, had?.lastSeq);
      if ("lastSeq" in joined) {
        const line = new ChatLine(client, room, had?.lastSeq ?? joined.lastSeq, isHidden);
        return entering(line, "replayed");
      }
      if (refused(joined.code).state !== "refused") throw new Error(`not joined: ${joined.code}`);
      return entering(new ChatLine(client, room, null, isHidden), "denied");
    } catch (error) {
      await client.close();
      throw error;
    }
  },
});

const entering = (line: Line, state: Entered["state"]): { line: Line; entered: Entered } => ({
  line,
  entered: { state, offset: null, notes: false },
});

class ChatLine implements Line {
  readonly n = null;
  readonly epoch = null;
  private readonly all: Told[] = [];
  private readonly order: InOrder;

  constructor(
    private readonly client: ChatClient,
    private readonly room: string,
    last: number | null,
    isHidden: (seq: number) => boolean,
  ) {
    this.order = new InOrder(last, isHidden);
  }

  get isOpen(): boolean {
    return this.client.isOpen;
  }

  get told(): readonly Told[] {
    for (let heard = this.client.next(); heard !== undefined; heard = this.client.next()) {
      if (heard?.room !== this.room) continue;
      const { kind, data } = heard;
      if (kind === "message") this.order.took(data.seq);
      this.all.push({ what: "event", kind, data, offset: null });
    }
    return this.all;
  }

  get broken(): readonly string[] {
    return this.order.broken;
  }

  ask(call: Call): Promise<Answer> | null {
    return this.client.ask(call);
  }

  async end(): Promise<void> {
    await this.client.close().catch(() => undefined);
  }
}
