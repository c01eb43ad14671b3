import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What a proxy does with bytes of one direction: pass them, keep them back for later, or end the connection instead. */
export type Traffic = "pass" | "hold" | "cut";

/**
 * A TCP proxy on 127.0.0.1 before a server, for what networks do: connections cut before or after a request got through,
 * silence, and a server that is not there.
 */
export class TcpProxy {
  /** From the client to the server. Bytes held back are passed on when it is `pass` again. */
  private upstream: Traffic = "pass";
  /** From the server to the client. */
  private downstream: Traffic = "pass";
  /** What becomes of the bytes that come back from the server, chunk by chunk. */
  rewrite: (bytes: Buffer) => Buffer = bytes => bytes;
  private readonly pairs = new Set<Pair>();
  private server: Server | null = null;
  /** Bytes that reached the server, and that came back from it. */
  readonly passed = { up: 0, down: 0 };
  /** Connections taken since it began. */
  taken = 0;
  port = 0;

  private constructor(private readonly target: { host: string; port: number }) {}

  /** @param target `host:port`. */
  static async start(target: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(`tcp://${target}`);
    const proxy = new TcpProxy({ host: hostname, port: Number(port) });
    await proxy.listen();
    return proxy;
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that stand now. */
  get connections(): number {
    return this.pairs.size;
  }

  requests(traffic: Traffic): void {
    this.upstream = traffic;
    for (const pair of this.pairs) pair.flow(this.upstream, this.downstream);
  }

  answers(traffic: Traffic): void {
    this.downstream = traffic;
    for (const pair of this.pairs) pair.flow(this.upstream, this.downstream);
  }

  /** Ends every connection; new ones are taken. */
  cut(): void {
    for (const pair of [...this.pairs]) pair.end();
  }

  /** Takes connections, on the port it had before. */
  async listen(): Promise<void> {
    this.server = createServer(client => this.accept(client)).listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Refuses connections, as a server that is away; those that stand are cut. */
  async away(): Promise<void> {
    const { server } = this;
    this.server = null;
    this.cut();
    if (!server) return;
    server.close();
    await once(server, "close");
  }

  stop(): Promise<void> {
    return this.away();
  }

  private accept(client: Socket): void {
    this.taken++;
    const pair = new Pair(client, connect(this.target), this, () => this.pairs.delete(pair));
    this.pairs.add(pair);
    pair.flow(this.upstream, this.downstream);
  }
}

class Pair {
  private up: Traffic = "pass";
  private down: Traffic = "pass";

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    proxy: TcpProxy,
    private readonly onEnd: () => void,
  ) {
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.end()).on("close", () => this.end());
    }
    client.on("data", bytes => {
      if (this.up === "cut") return this.end();
      proxy.passed.up += bytes.length;
      server.write(bytes);
    });
    server.on("data", bytes => {
      if (this.down === "cut") return this.end();
      proxy.passed.down += bytes.length;
      client.write(proxy.rewrite(bytes));
    });
  }

  flow(up: Traffic, down: Traffic): void {
    this.up = up;
    this.down = down;
    // Not read is held back: by this process's buffers first, then by the sender's.
    if (up === "hold") this.client.pause();
    else this.client.resume();
    if (down === "hold") this.server.pause();
    else this.server.resume();
  }

  end(): void {
    this.client.destroy();
    this.server.destroy();
    this.onEnd();
  }
}
