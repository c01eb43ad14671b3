import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { PATIENCE, within } from "./eventually";
import type { Body } from "./rest";

export type SocketioOptions = Partial<ManagerOptions & SocketOptions>;

const EVENTS = [
  ...["message", "private-message", "message-updated", "message-deleted"],
  ...["reaction", "typing", "presence"],
];

/** An unmodified client of Socket.IO that keeps what it is told. */
export class SocketioClient {
  readonly told: { name: string; data: Body }[] = [];

  private constructor(readonly socket: Socket) {
    for (const name of EVENTS) socket.on(name, (data: Body) => void this.told.push({ name, data }));
  }

  /** Connects by itself, as often as it takes. */
  static made(url: string, token: string, options: SocketioOptions = {}): SocketioClient {
    return new SocketioClient(io(url, { auth: { token }, forceNew: true, ...options }));
  }

  /** Connected. Rejects with what the library tells of a refusal. */
  static async open(url: string, token: string, options: SocketioOptions = {}): Promise<SocketioClient> {
    const client = SocketioClient.made(url, token, options);
    try {
      await within(
        PATIENCE,
        "connect",
        new Promise<void>((resolve, reject) => {
          client.socket.once("connect", resolve);
          client.socket.once("connect_error", reject);
        }),
      );
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** Emits and waits for the acknowledgement. */
  ask(event: string, ...args: unknown[]): Promise<Body> {
    return this.socket.timeout(PATIENCE).emitWithAck(event, ...args) as Promise<Body>;
  }

  all(name: string): Body[] {
    return this.told.filter(one => one.name === name).map(({ data }) => data);
  }

  /** `polling` or `websocket`. */
  get transport(): string {
    return this.socket.io.engine.transport.name;
  }

  close(): void {
    this.socket.disconnect();
  }
}
