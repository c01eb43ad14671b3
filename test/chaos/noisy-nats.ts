import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Milliseconds a late packet is late at most. */
const LATEST = 2_000;
const CRLF = Buffer.from("\r\n");

/**
 * A proxy before a nats-server on 127.0.0.1 that knows where its messages end: each that goes to the client may come twice,
 * or late, so that those after it overtake it. NATS itself promises neither; a client of it must bear both. What the client
 * says, and pings, pass as they are.
 */
export class NoisyNats {
  /** Of messages, 0 to 1: so many come twice, and as many late. */
  share = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly target: { host: string; port: number },
    private readonly server: Server,
    private readonly random: () => number,
  ) {
    server.on("connection", client => this.accept(client));
  }

  /** @param target `host:port` */
  static async start(target: string, random: () => number = Math.random): Promise<NoisyNats> {
    const { hostname, port } = new URL(`tcp://${target}`);
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new NoisyNats({ host: hostname, port: Number(port) }, server, random);
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(client: Socket): void {
    const server = connect(this.target);
    const messages = new MessageReader();
    const write = (bytes: Buffer): void => void (client.destroyed || client.write(bytes));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      // A reset is passed on as a reset.
      socket.on("error", () => other.resetAndDestroy());
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", bytes => void (server.destroyed || server.write(bytes)));
    server.on("data", bytes => {
      for (const { packet, isMessage } of messages.read(bytes)) this.pass(packet, isMessage && this.share > 0, write);
    });
  }

  private pass(packet: Buffer, mayBeTroubled: boolean, write: (bytes: Buffer) => void): void {
    if (mayBeTroubled && this.random() < this.share) setTimeout(write, this.random() * LATEST, packet).unref();
    else write(packet);
    if (mayBeTroubled && this.random() < this.share) setTimeout(write, this.random() * LATEST, packet).unref();
  }
}

interface Packet {
  packet: Buffer;
  /** A message of somebody's; else what the server itself says. */
  isMessage: boolean;
}

/** Cuts what a nats-server says into whole packets. */
export class MessageReader {
  private rest: Buffer = Buffer.alloc(0);

  read(bytes: Buffer): Packet[] {
    let buffer = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
    const packets: Packet[] = [];
    for (;;) {
      const end = buffer.indexOf(CRLF);
      if (end < 0) break;
      const line = buffer.toString("latin1", 0, end);
      // `MSG subject sid [reply] bytes` and `HMSG subject sid [reply] header-bytes bytes`, then so many bytes and a line's end.
      const isMessage = /^H?MSG\s/i.test(line);
      const length = end + 2 + (isMessage ? Number(line.slice(line.lastIndexOf(" ") + 1)) + 2 : 0);
      if (buffer.length < length) break;
      packets.push({ packet: buffer.subarray(0, length), isMessage });
      buffer = buffer.subarray(length);
    }
    // A copy: the bytes may be those of a large chunk.
    this.rest = Buffer.from(buffer);
    return packets;
  }
}
