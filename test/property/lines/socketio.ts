import type { Body } from "../../support/rest";
import { SocketioClient } from "../../support/socketio";
import { within } from "../../support/eventually";
import type { Told } from "../model";
import type { Call } from "../operation";
import { InOrder, refused, UNKNOWN, type Answer, type Entry, type Line, type Wire } from "./line";

const PATIENCE = 15_000;

const EVENTS: Readonly<Record<string, string>> = {
  message: "message",
  "private-message": "message",
  "message-updated": "edit",
  "message-deleted": "delete",
  reaction: "reaction",
};

/** What it may know is what a client of SignalR may. */
export const socketio = (...transports: ("polling" | "websocket")[]): Wire => ({
  name: `socketio-${transports.join("+")}`,
  knows: { everything: false, offsets: false },
  async open({ client: { token }, url, room, isDirect, had }: Entry) {
    const client = await within(
      PATIENCE,
      "a Socket.IO connection",
      SocketioClient.open(url, token as string, { transports, reconnection: false }),
    );
    try {
      if (isDirect)
        return { line: new SocketioLine(client, room, null), entered: { state: "live", offset: null, notes: false } };
      const joined = await client.ask("join", { channelId: room, ...(had && { afterSeq: had.lastSeq }) });
      if (joined.ok) {
        const line = new SocketioLine(client, room, had ? had.lastSeq : joined.lastSeq);
        return { line, entered: { state: "replayed", offset: null, notes: false } };
      }
      if (refused(joined.code).state !== "refused") throw new Error(`not joined: ${joined.code}`);
      return { line: new SocketioLine(client, room, null), entered: { state: "denied", offset: null, notes: false } };
    } catch (error) {
      client.close();
      throw error;
    }
  },
});

class SocketioLine implements Line {
  readonly n = null;
  readonly epoch = null;
  private readonly all: Told[] = [];
  private readonly order: InOrder;
  private read = 0;

  constructor(
    private readonly client: SocketioClient,
    private readonly room: string,
    last: number | null,
  ) {
    this.order = new InOrder(last);
  }

  get isOpen(): boolean {
    return this.client.socket.connected;
  }

  get told(): readonly Told[] {
    for (const { told } = this.client; this.read < told.length; this.read += 1) {
      const { name, data } = told[this.read] as { name: string; data: Body };
      const kind = EVENTS[name];
      if (!kind || (name === "private-message" ? data.message.channelId : data.channelId) !== this.room) continue;
      const { channelId: _, ...rest } = data;
      const shown = kind === "reaction" ? rest : data.message;
      if (kind === "message") this.order.took(shown.seq);
      this.all.push({ what: "event", kind, data: shown, offset: null });
    }
    return this.all;
  }

  get broken(): readonly string[] {
    return this.order.broken;
  }

  ask({ event }: Call): Promise<Answer> | null {
    if (!event) return null;
    return this.client.ask(...event).then(
      (body: Body): Answer => (body.ok ? { state: "ok", body } : refused(body.code)),
      () => UNKNOWN,
    );
  }

  async end(): Promise<void> {
    this.client.close();
  }
}
