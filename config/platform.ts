import type { Server } from "node:http";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { openDocuments, openMongoDocuments, type CollectionSpec, type Documents } from "../mixins/documents";
import { MongoConnection, type MongoLog } from "../mixins/mongo/connection";
import { keptOnce } from "../mixins/mongo/once";
import { NatsLink } from "../mixins/nats/link";
import { NatsRoomBus } from "../mixins/nats/room-bus.nats";
import { SqliteDatabase } from "../mixins/sqlite/database";
import { lockFolder, type Release } from "../mixins/sqlite/lock";
import { systemClock, type Clock } from "../services/core/clock";
import { newId } from "../services/core/ids";
import type { Limits } from "../services/core/limits";
import { MemoryRoomBus, type RoomBus } from "../services/core/room-bus";
import { AccessTokens } from "../services/core/tokens";
import { refuseUnfinished } from "./backup/unfinished";
import type { Config } from "./config";
import { Health } from "./health";

/**
 * What the services of one process share: configuration, time, storage, the room bus and the origin. Made with the broker
 * and closed after it; services reach it by `platformOf(broker)`, never by a module-level variable.
 */
export class Platform {
  readonly tokens: AccessTokens;
  readonly origin = new Origin();
  /** Work that needs every service of this process started, and ends before the process says it is ready. */
  readonly afterStart: (() => Promise<void>)[] = [];
  /** Work at the very beginning of the node's stop, before it waits for anything. */
  readonly beforeStop: (() => void)[] = [];
  private adminPassword: string | null = null;
  private showAdminPassword: ((password: string) => void) | null = null;
  private roomBus: RoomBus = new MemoryRoomBus();
  private natsLink: NatsLink | null = null;
  private log: MongoLog | null = null;
  private cluster: MongoConnection | null = null;
  private storeId: string | null = null;
  private watch: NodeJS.Timeout | undefined;
  private embedded: Promise<{ database: SqliteDatabase; release: Release }> | null = null;
  private connection: Promise<MongoConnection> | null = null;

  constructor(
    readonly config: Config,
    readonly clock: Clock = systemClock,
    /** What this process needs to do its work; services add theirs. */
    readonly health: Health = new Health(() => clock.monotonic()),
  ) {
    this.tokens = new AccessTokens(config.jwt);
  }

  get limits(): Limits {
    return this.config.limits;
  }

  /** The fan-out of rooms: in memory, or over NATS once the platform is open. */
  get bus(): RoomBus {
    return this.roomBus;
  }

  /** The ties to other processes; null in the embedded shape. */
  get link(): NatsLink | null {
    return this.natsLink;
  }

  /** The random password of the admin user, if this process made it. */
  get madeAdminPassword(): string | null {
    return this.adminPassword;
  }

  set madeAdminPassword(password: string) {
    this.adminPassword = password;
    this.showAdminPassword?.(password);
  }

  /** Shows that password once to whoever started this process: now if it is made, else when it is. */
  onAdminPassword(show: (password: string) => void): void {
    this.showAdminPassword = show;
    if (this.adminPassword !== null) show(this.adminPassword);
  }

  /** Before any service starts: connects to NATS, however long that takes. Rejects if the server refuses us. */
  async open(broker: ServiceBroker): Promise<void> {
    const { cluster } = this.config;
    if (!cluster) return;
    this.log = broker.getLogger("mongo");
    this.health.need("nats", () => {
      if (!this.natsLink?.up) throw new Error("NATS is away");
    });
    const link = await NatsLink.open(cluster.transporter, `${broker.nodeID} rooms`, broker.getLogger("nats"));
    link.onLost(endProcess);
    this.natsLink = link;
    this.roomBus = new NatsRoomBus(link, `${broker.namespace}.room.`);
  }

  /** A collection in the store of this shape. */
  async documents<T extends { id: string }>(spec: CollectionSpec): Promise<Documents<T>> {
    return this.config.cluster
      ? openMongoDocuments<T>(await this.mongo(), spec)
      : openDocuments<T>(await this.database(), spec);
  }

  /** The embedded store of this process, opened and locked by the first service that asks. */
  async database(): Promise<SqliteDatabase> {
    this.embedded ??= this.openEmbedded();
    return (await this.embedded).database;
  }

  /** The store this process keeps data in: its id once it is known, and whether it can be reached; who keeps none, can. */
  get standing(): { store: string | null; reachable: boolean } {
    return { store: this.storeId, reachable: this.cluster?.up !== false };
  }

  /** The store of the cluster; it need not be there yet. */
  mongo(): Promise<MongoConnection> {
    this.connection ??= this.openMongo();
    return this.connection;
  }

  /** For what cannot be mended from inside: ends this process, and whoever watches over it starts it anew. */
  end(reason: string): void {
    endProcess(new Error(reason));
  }

  async close(): Promise<void> {
    clearInterval(this.watch);
    // What never opened was told when it was asked for; there is nothing to close.
    const embedded = await this.embedded?.catch(() => null);
    await embedded?.database.close();
    await embedded?.release();
    await (await this.connection?.catch(() => null))?.close();
    await this.natsLink?.close();
  }

  private async openMongo(): Promise<MongoConnection> {
    if (!this.config.cluster) throw new Error("There is no MongoDB in the embedded shape");
    const connection = await MongoConnection.open(this.config.cluster.mongoUrl, this.log);
    this.cluster = connection;
    this.health.need("store", async () => {
      if (!connection.up) throw new Error("MongoDB is away");
      await connection.ping();
    });
    // A store that refuses this ends the start of the services that keep data in it.
    keptOnce(connection, "store", "id", newId()).then(
      id => {
        this.storeId = id;
        if (this.log) this.watchStore(connection, id);
      },
      () => undefined,
    );
    return connection;
  }

  /** Nodes are stopped before a store is put back from a backup. One that was not must not write by what it knew. */
  private watchStore(connection: MongoConnection, id: string): void {
    const look = async (): Promise<void> => {
      const store = await connection.read(db =>
        db.collection<{ _id: string; id: string }>("store").findOne({ _id: "store" }),
      );
      if (store && store.id !== id)
        this.end("The store was put back from a backup: what this process knew of it is void");
    };
    this.watch = setInterval(() => void look().catch(() => undefined), LOOK).unref();
  }

  private async openEmbedded(): Promise<{ database: SqliteDatabase; release: Release }> {
    const release = await lockFolder(this.config.dataDir);
    try {
      refuseUnfinished(this.config.dataDir);
      const database = await SqliteDatabase.open(join(this.config.dataDir, "rookery.db"), { clock: this.clock });
      // Without its worker this process can neither read nor store.
      database.onFatal(endProcess);
      this.health.need("store", () => database.get("SELECT 1"));
      return { database, release };
    } catch (error) {
      await release();
      throw error;
    }
  }
}

/** Milliseconds between looks whether the store is still the same. */
const LOOK = 2_000;

/** What cannot be mended from inside: whoever watches over the process starts it anew. */
function endProcess(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

/**
 * One origin for pages, REST and sockets in one process: the api-gateway offers its HTTP server, the ws-gateway's engine,
 * which owns the port, takes it. Neither knows the other.
 */
export class Origin {
  private offered: Server | undefined;
  /** The port the origin really has, once somebody listens; PORT may be 0. */
  port: number | null = null;

  /** The server that answers what is not a WebSocket; undefined until it is offered. */
  get server(): Server | undefined {
    return this.offered;
  }

  serve(server: Server | undefined): void {
    this.offered = server;
  }
}

const platforms = new WeakMap<ServiceBroker, Platform>();

export function attachPlatform(broker: ServiceBroker, platform: Platform): void {
  platforms.set(broker, platform);
}

/** The platform of this broker. Throws if the broker was made without one. */
export function platformOf(broker: ServiceBroker): Platform {
  const platform = platforms.get(broker);
  if (!platform) throw new Error("This broker has no platform: make it with nodeOptions()");
  return platform;
}
