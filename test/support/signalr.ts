import * as ten from "@microsoft/signalr";
import * as eight from "signalr-8";
import type { Body } from "./rest";

/** The official client of two major versions; what we use of both is the same. */
const LIBRARIES = { "8": eight as unknown as typeof ten, "10": ten };

export type SignalrVersion = keyof typeof LIBRARIES;
export type SignalrTransport = "WebSockets" | "ServerSentEvents" | "LongPolling";

export interface SignalrOptions {
  version?: SignalrVersion;
  transport?: SignalrTransport;
  skipNegotiation?: boolean;
  /** Milliseconds before each attempt to come back. */
  reconnect?: number[];
}

/** Something the server called, by name. */
export interface Called {
  name: string;
  args: Body[];
}

/** The code in what the library rejects a call with, "... HubException: CODE: detail"; CLOSED where there is none. */
export const refusalCode = (error: unknown): string =>
  /\b([A-Z]{3,}(?:_[A-Z]+)*): /.exec(String(error))?.[1] ?? "CLOSED";

const EVENTS = [
  ...["ReceiveMessage", "ReceivePrivateMessage", "MessageUpdated", "MessageDeleted", "ReactionChanged"],
  ...["UserTyping", "UserPresenceUpdate", "UserConnected", "UserDisconnected"],
];

/** An unmodified client of SignalR that keeps what it is told. */
export class SignalrClient {
  readonly called: Called[] = [];
  readonly states: string[] = [];

  private constructor(readonly hub: ten.HubConnection) {
    for (const name of EVENTS) hub.on(name, (...args: Body[]) => void this.called.push({ name, args }));
    hub.onreconnecting(() => void this.states.push("reconnecting"));
    hub.onreconnected(() => void this.states.push("reconnected"));
    hub.onclose(error => void this.states.push(`closed ${error?.message ?? ""}`.trim()));
  }

  /** Connected. Rejects as the library does. */
  static async open(url: string, token: string, options: SignalrOptions = {}): Promise<SignalrClient> {
    const client = SignalrClient.made(url, token, options);
    await client.hub.start();
    return client;
  }

  static made(url: string, token: string, options: SignalrOptions = {}): SignalrClient {
    const { version = "10", transport, skipNegotiation, reconnect } = options;
    const { HubConnectionBuilder, HttpTransportType, LogLevel } = LIBRARIES[version];
    const builder = new HubConnectionBuilder()
      .withUrl(`${url}/hubs/chat`, {
        accessTokenFactory: () => token,
        ...(transport && { transport: HttpTransportType[transport] }),
        ...(skipNegotiation && { skipNegotiation }),
      })
      .configureLogging(LogLevel.None);
    if (reconnect) builder.withAutomaticReconnect(reconnect);
    return new SignalrClient(builder.build());
  }

  invoke(name: string, ...args: unknown[]): Promise<Body> {
    return this.hub.invoke(name, ...args) as Promise<Body>;
  }

  /** Arguments of each call of that name. */
  all(name: string): Body[][] {
    return this.called.filter(one => one.name === name).map(({ args }) => args);
  }

  close(): Promise<void> {
    return this.hub.stop();
  }
}
