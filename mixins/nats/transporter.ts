import { Transporters } from "moleculer";
import type { NatsConnection } from "nats";
import { natsOptions } from "./options";

/** Milliseconds that what was said last gets to leave. */
const LAST_WORDS = 500;

/** The one in the box, which does not say in its types that it is whole. */
const Base = Transporters.NATS as unknown as new (options: object) => {
  client: NatsConnection | null;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
};

/** Moleculer's NATS transporter, with our reading of the URL, and a stop that does not wait for a server that is away. */
export class NatsTransporter extends Base {
  private unfollow: (() => void) | undefined;

  /** @param follow told of the connection once it is there; returns what ends that */
  constructor(
    urls: string,
    name: string,
    private readonly follow: (connection: NatsConnection) => () => void,
  ) {
    super({ ...natsOptions(urls, name) });
  }

  override async connect(): Promise<void> {
    await super.connect();
    if (this.client) this.unfollow = this.follow(this.client);
  }

  override async disconnect(): Promise<void> {
    const { client } = this;
    if (!client) return;
    this.client = null;
    this.unfollow?.();
    await Promise.race([
      client.flush().catch(() => undefined),
      new Promise(resolve => setTimeout(resolve, LAST_WORDS)),
    ]);
    await client.close();
  }
}
