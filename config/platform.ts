import type { Server } from "node:http";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { SqliteDatabase } from "../mixins/sqlite/database";
import { lockFolder, type Release } from "../mixins/sqlite/lock";
import { systemClock, type Clock } from "../services/core/clock";
import type { Limits } from "../services/core/limits";
import { MemoryRoomBus, type RoomBus } from "../services/core/room-bus";
import { AccessTokens } from "../services/core/tokens";
import type { Config } from "./config";

/**
 * What the services of one process share: configuration, time, storage, the room bus and the origin. Made with the broker
 * and closed after it; services reach it by `platformOf(broker)`, never by a module-level variable.
 */
export class Platform {
  readonly tokens: AccessTokens;
  readonly bus: RoomBus = new MemoryRoomBus();
  readonly origin = new Origin();
  /** Work that needs every service of this process started, and ends before the process says it is ready. */
  readonly afterStart: (() => Promise<void>)[] = [];
  /** The random password of the admin user, if this start made it; shown once. */
  madeAdminPassword: string | null = null;
  private opened: Promise<{ database: SqliteDatabase; release: Release }> | null = null;

  constructor(
    readonly config: Config,
    readonly clock: Clock = systemClock,
  ) {
    this.tokens = new AccessTokens(config.jwt);
  }

  get limits(): Limits {
    return this.config.limits;
  }

  /** The embedded store of this process, opened and locked by the first service that asks. */
  async database(): Promise<SqliteDatabase> {
    this.opened ??= this.open();
    return (await this.opened).database;
  }

  async close(): Promise<void> {
    // What never opened was told when it was asked for; there is nothing to close.
    const opened = await this.opened?.catch(() => null);
    if (!opened) return;
    const { database, release } = opened;
    await database.close();
    await release();
  }

  private async open(): Promise<{ database: SqliteDatabase; release: Release }> {
    const release = await lockFolder(this.config.dataDir);
    try {
      const database = await SqliteDatabase.open(join(this.config.dataDir, "rookery.db"), { clock: this.clock });
      // Without its worker this process can neither read nor store: it ends, and whoever watches over it starts it anew.
      database.onFatal(error =>
        setImmediate(() => {
          throw error;
        }),
      );
      return { database, release };
    } catch (error) {
      await release();
      throw error;
    }
  }
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
