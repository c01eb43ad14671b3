import { program } from "../../deploy/local/servers/cache";
import { Child } from "../../deploy/local/servers/child";
import { Daemon } from "../../deploy/local/servers/daemon";
import { freePort } from "../../deploy/local/servers/ports";

/** Milliseconds an order to toxiproxy may take. */
const PATIENCE = 2_000;

/** From the client to the server, and back. */
export type Stream = "upstream" | "downstream";

/** A toxiproxy of ours, with as many proxies as are asked for. */
export class Toxiproxy extends Daemon {
  private constructor(private readonly port: number) {
    super("toxiproxy");
  }

  static async start(): Promise<Toxiproxy> {
    const proxy = new Toxiproxy(await freePort());
    await proxy.start();
    return proxy;
  }

  /** @param upstream `host:port` */
  async before(name: string, upstream: string): Promise<TroubledProxy> {
    const proxy = new TroubledProxy(this, name, `127.0.0.1:${await freePort()}`, upstream);
    await proxy.open();
    return proxy;
  }

  /** Rejects with what toxiproxy says if it refuses. */
  async order(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`toxiproxy refuses ${method} ${path}: ${text}`);
    return text ? (JSON.parse(text) as unknown) : null;
  }

  protected launch(): Child {
    return Child.start(this.name, program("toxiproxy"), ["-host", "127.0.0.1", "-port", String(this.port)]);
  }

  protected ask(): Promise<unknown> {
    return this.order("GET", "/proxies");
  }
}

/** One proxy before one server. */
export class TroubledProxy {
  private readonly toxics = new Set<string>();

  constructor(
    private readonly toxiproxy: Toxiproxy,
    private readonly name: string,
    /** `127.0.0.1:port`. */
    readonly address: string,
    private readonly upstream: string,
  ) {}

  async open(): Promise<void> {
    const { name, address: listen, upstream } = this;
    await this.toxiproxy.order("POST", "/proxies", { name, listen, upstream, enabled: true });
  }

  /** Every chunk comes `least` to `most` milliseconds later, in order. */
  async delay(stream: Stream, least: number, most: number): Promise<void> {
    const jitter = Math.round((most - least) / 2);
    await this.add("latency", stream, { latency: Math.round(least) + jitter, jitter });
  }

  /** What is said is lost. The connections stay open, and end when it heals: a stream with a hole in it is none. */
  async silence(stream: Stream): Promise<void> {
    await this.add("timeout", stream, { timeout: 0 });
  }

  /** Connections that stand are reset, new ones are refused. */
  async refuse(): Promise<void> {
    for (const stream of ["upstream", "downstream"] as const) await this.add("reset_peer", stream, { timeout: 0 });
    await this.update({ enabled: false });
  }

  /** Resolves when everything passes again. Connections that were only slow stand, if toxiproxy can tell them. */
  async heal(): Promise<void> {
    const toxics = [...this.toxics];
    this.toxics.clear();
    try {
      for (const toxic of toxics) await this.toxiproxy.order("DELETE", `${this.path}/toxics/${toxic}`);
      await this.update({ enabled: true });
    } catch {
      // It waits for ever to hand what it held back to a connection that somebody has closed meanwhile.
      await this.toxiproxy.order("DELETE", this.path);
      await this.open();
    }
  }

  private async add(type: string, stream: Stream, attributes: Record<string, number>): Promise<void> {
    const name = `${type}_${stream}`;
    if (this.toxics.has(name)) throw new Error(`${this.name} has the trouble ${name} already`);
    await this.toxiproxy.order("POST", `${this.path}/toxics`, { name, type, stream, attributes, toxicity: 1 });
    this.toxics.add(name);
  }

  private async update(to: { enabled: boolean }): Promise<void> {
    await this.toxiproxy.order("POST", this.path, to);
  }

  private get path(): string {
    return `/proxies/${encodeURIComponent(this.name)}`;
  }
}
