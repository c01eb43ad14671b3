import { within } from "../../support/eventually";
import type { Body } from "../../support/rest";
import { SocketioClient } from "../../support/socketio";
import type { Call } from "../operation";
import { chatWire, PATIENCE, type ChatClient, type Heard } from "./chat";
import { refused, UNKNOWN, type Answer, type Entry, type Wire } from "./line";

const EVENTS: Readonly<Record<string, Heard["kind"]>> = {
  message: "message",
  "private-message": "message",
  "message-updated": "edit",
  "message-deleted": "delete",
  reaction: "reaction",
};

export const socketio = (...transports: ("polling" | "websocket")[]): Wire =>
  chatWire(`socketio-${transports.join("+")}`, async ({ client: { token }, url }: Entry) => {
    const opening = SocketioClient.open(url, token as string, { transports, reconnection: false });
    return new EventClient(await within(PATIENCE, "a Socket.IO connection", opening));
  });

class EventClient implements ChatClient {
  private read = 0;

  constructor(private readonly client: SocketioClient) {}

  get isOpen(): boolean {
    return this.client.socket.connected;
  }

  next(): Heard | null | undefined {
    const told = this.client.told[this.read];
    if (!told) return undefined;
    this.read += 1;
    const { channelId, ...rest } = told.data;
    const kind = EVENTS[told.name];
    if (!kind) return null;
    return { kind, room: channelId ?? rest.message.channelId, data: kind === "reaction" ? rest : rest.message };
  }

  async join(room: string, afterSeq: number | undefined): Promise<{ lastSeq: number } | { code: string }> {
    const joined = await this.client.ask("join", { channelId: room, ...(afterSeq !== undefined && { afterSeq }) });
    return joined.ok ? { lastSeq: joined.lastSeq } : { code: joined.code };
  }

  ask({ event }: Call): Promise<Answer> | null {
    if (!event) return null;
    return this.client.ask(...event).then(
      (body: Body): Answer => (body.ok ? { state: "ok", body } : refused(body.code)),
      () => UNKNOWN,
    );
  }

  async close(): Promise<void> {
    this.client.close();
  }
}
