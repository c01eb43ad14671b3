import { connect, DebugEvents, ErrorCode, Events, type NatsConnection, type NatsError } from "nats";
import { MAX_SILENCE, natsOptions } from "./options";

/** What a node tells its operator of the link. */
export interface LinkLog {
  info(message: string): void;
  warn(message: string): void;
}

type Listener = () => void;

/** Bytes of the largest packets: a page of 100 messages, each as long as it may be and with all its reactions. */
const PAYLOAD = 8_000_000;

/** The link can never come back by itself: credentials are refused, or the connection was closed for good. */
export class LinkLostError extends Error {
  /** An operator's mistake, not a defect: shown without a stack. */
  readonly expected = true;

  constructor(why: string) {
    super(`TRANSPORTER: ${why}`);
    this.name = "LinkLostError";
  }
}

/**
 * What ties this process to the others: its own connection for data, and whether that and those it follows are up. What is
 * published while a connection is away is lost, so nothing may be sent then as if somebody heard it.
 */
export class NatsLink {
  private readonly followed = new Set<NatsConnection>();
  private readonly down = new Set<NatsConnection>();
  private readonly uppers = new Set<Listener>();
  private readonly downers = new Set<Listener>();
  private readonly losers = new Set<(error: Error) => void>();
  /** Monotonic milliseconds since when it is down; null while it is up. */
  private since: number | null = null;

  private constructor(
    readonly connection: NatsConnection,
    private readonly log: LinkLog,
  ) {}

  /** Resolves once connected, however long that takes. Rejects with LinkLostError if the server refuses the credentials. */
  static async open(urls: string, name: string, log: LinkLog): Promise<NatsLink> {
    const told = setTimeout(() => log.warn("waiting for NATS"), 1_000);
    try {
      const link = new NatsLink(await connect({ ...natsOptions(urls, name), noEcho: false }), log);
      link.follow(link.connection);
      const { max_payload: taken = 0 } = link.connection.info ?? {};
      if (taken < PAYLOAD)
        log.warn(`NATS takes packets of ${taken} bytes: set max_payload to 8MB, or the longest pages and replays fail`);
      return link;
    } catch (error) {
      throw new LinkLostError(reasonOf(error as NatsError));
    } finally {
      clearTimeout(told);
    }
  }

  get up(): boolean {
    return this.since === null;
  }

  /** Milliseconds for which the link has been down; 0 while it is up. */
  get downFor(): number {
    return this.since === null ? 0 : performance.now() - this.since;
  }

  /** Counts another connection of this process, too: the link is up while all are. Returns what ends it. */
  follow(connection: NatsConnection): Listener {
    this.followed.add(connection);
    void this.watch(connection);
    void connection.closed().then(error => {
      if (!this.followed.has(connection)) return;
      this.mark(connection, false);
      const lost = new LinkLostError(error ? reasonOf(error as NatsError) : "the connection was closed");
      for (const listener of this.losers) listener(lost);
    });
    return () => this.followed.delete(connection);
  }

  /** Called after a reconnect, when the server knows all subscriptions again. Returns what ends it. */
  onUp(listener: Listener): Listener {
    return added(this.uppers, listener);
  }

  onDown(listener: Listener): Listener {
    return added(this.downers, listener);
  }

  /** Called when the link is lost for good; whoever watches over the process starts it anew. */
  onLost(listener: (error: Error) => void): Listener {
    return added(this.losers, listener);
  }

  async close(): Promise<void> {
    this.followed.clear();
    // What was published last still leaves; a link that is down has nobody to leave for.
    if (this.up) await this.connection.drain().catch(() => undefined);
    else await this.connection.close();
  }

  private async watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (!this.followed.has(connection)) return;
      if (type === DebugEvents.StaleConnection) this.mark(connection, false, MAX_SILENCE);
      else if (type === Events.Disconnect) this.mark(connection, false);
      // Subscriptions are sent with the reconnect; the answer to a ping says that they have arrived.
      else if (type === Events.Reconnect)
        connection.flush().then(
          () => this.mark(connection, true),
          () => undefined,
        );
    }
  }

  /** @param ago milliseconds since it may have been so */
  private mark(connection: NatsConnection, up: boolean, ago = 0): void {
    const before = this.up;
    if (up) this.down.delete(connection);
    else this.down.add(connection);
    if (before === (this.down.size === 0)) return;
    this.since = before ? performance.now() - ago : null;
    if (before) this.log.warn("NATS is away");
    else this.log.info("NATS is back");
    for (const listener of before ? this.downers : this.uppers) listener();
  }
}

function added<T>(set: Set<T>, listener: T): Listener {
  set.add(listener);
  return () => set.delete(listener);
}

function reasonOf({ code, message }: NatsError): string {
  if (
    (code as ErrorCode) === ErrorCode.AuthorizationViolation ||
    (code as ErrorCode) === ErrorCode.AuthenticationExpired
  )
    return "NATS refuses these credentials";
  return message;
}
