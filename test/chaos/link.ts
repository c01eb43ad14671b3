import type { Toxiproxy, TroubledProxy } from "../support/toxiproxy";
import type { Link } from "./ground";
import { NoisyNats } from "./noisy-nats";

/** From one node to NATS or to the store, through a proxy; packets of NATS through another that knows where they end. */
export class TroubledLink implements Link {
  readonly name: string;
  readonly garble?: (share: number) => void;

  private constructor(
    readonly to: Link["to"],
    node: string,
    /** Where the node finds its server. */
    readonly url: string,
    private readonly proxy: TroubledProxy,
    private readonly noise: NoisyNats | null,
  ) {
    this.name = `${to} of ${node}`;
    if (noise) this.garble = share => (noise.share = share);
  }

  /** @param url of the server */
  static async open(toxiproxy: Toxiproxy, to: Link["to"], node: string, url: string): Promise<TroubledLink> {
    const server = new URL(url);
    const proxy = await toxiproxy.before(`${to}-${node}`, server.host);
    const noise = to === "nats" ? await NoisyNats.start(proxy.address) : null;
    server.host = noise?.address ?? proxy.address;
    return new TroubledLink(to, node, server.href, proxy, noise);
  }

  async slow(ms: number): Promise<void> {
    await this.proxy.delay("downstream", 0.75 * ms, 1.25 * ms);
  }

  async cut(way: "both" | "up" | "down" = "both"): Promise<void> {
    if (way !== "down") await this.proxy.silence("upstream");
    if (way !== "up") await this.proxy.silence("downstream");
  }

  reset(): Promise<void> {
    return this.proxy.refuse();
  }

  async heal(): Promise<void> {
    if (this.noise) this.noise.share = 0;
    await this.proxy.heal();
  }

  close(): void {
    this.noise?.stop();
  }
}
