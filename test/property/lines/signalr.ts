import { within } from "../../support/eventually";
import type { Body } from "../../support/rest";
import { refusalCode, SignalrClient, type SignalrTransport } from "../../support/signalr";
import type { Call } from "../operation";
import { chatWire, PATIENCE, type ChatClient, type Heard } from "./chat";
import { refused, UNKNOWN, type Answer, type Entry, type Wire } from "./line";

const EVENTS: Readonly<Record<string, Heard["kind"]>> = {
  ReceiveMessage: "message",
  ReceivePrivateMessage: "message",
  MessageUpdated: "edit",
  MessageDeleted: "delete",
  ReactionChanged: "reaction",
};

export const signalr = (transport: SignalrTransport): Wire =>
  chatWire(`signalr-${transport}`, async ({ client: { token }, url }: Entry) => {
    const client = SignalrClient.made(url, token as string, { transport });
    try {
      await within(PATIENCE, "a SignalR connection", client.hub.start());
      return new HubClient(client);
    } catch (error) {
      await client.close();
      throw error;
    }
  });

class HubClient implements ChatClient {
  private read = 0;

  constructor(private readonly client: SignalrClient) {}

  get isOpen(): boolean {
    return this.client.hub.state === "Connected";
  }

  next(): Heard | null | undefined {
    const called = this.client.called[this.read];
    if (!called) return undefined;
    this.read += 1;
    const [about, data] = called.args as [string, Body];
    const kind = EVENTS[called.name];
    return kind ? { kind, room: called.name === "ReceivePrivateMessage" ? data.channelId : about, data } : null;
  }

  join(room: string, afterSeq: number | undefined): Promise<{ lastSeq: number } | { code: string }> {
    const args = afterSeq === undefined ? [room] : [room, afterSeq];
    return within(PATIENCE, "JoinChannel", this.client.invoke("JoinChannel", ...args)).catch((error: unknown) => ({
      code: refusalCode(error),
    }));
  }

  ask({ hub }: Call): Promise<Answer> | null {
    if (!hub) return null;
    const [name, ...args] = hub;
    return within(PATIENCE, name, this.client.invoke(name, ...args)).then(
      (message: Body): Answer => ({ state: "ok", body: { message } }),
      (error: unknown) => {
        const code = refusalCode(error);
        return code === "CLOSED" ? UNKNOWN : refused(code);
      },
    );
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
