import type { Subscription } from "nats";
import { RookeryError } from "../../services/core/errors";
import type { RoomBus, RoomListener, RoomPacket } from "../../services/core/room-bus";
import type { NatsLink } from "./link";
import { decodePacket, encodePacket } from "./packet";

/** Characters of one packet; with three bytes for each it still is below the server's limit of 1 MiB. */
const PACKET = 300 * 1024;
/** Milliseconds within which the server must have taken a subscription. */
const INTEREST = 3_000;

interface Interest {
  listeners: Set<RoomListener>;
  subscription: Subscription;
}

/**
 * One raw subject per room: a packet is encoded once, published once, and reaches the processes that subscribed, no others.
 * Moleculer's own events would go to every node once each, whoever listens.
 */
export class NatsRoomBus implements RoomBus {
  private readonly rooms = new Map<string, Interest>();
  private flushing: Promise<void> | null = null;

  /** @param prefix of all subjects, with its dot */
  constructor(
    private readonly link: NatsLink,
    private readonly prefix: string,
  ) {}

  /** What cannot leave is lost, as on the way: gateways compare heads with the log when the link is back. */
  publish(packet: RoomPacket): void {
    if (!this.link.up) return;
    const subject = this.prefix + packet.room;
    for (const part of encodePacket(packet, PACKET)) this.link.connection.publish(subject, part);
  }

  /** Rejects with UNAVAILABLE if the server does not confirm the interest in time. */
  async subscribe(room: string, listener: RoomListener): Promise<() => void> {
    const interest = this.interest(room);
    interest.listeners.add(listener);
    try {
      await this.confirmed();
    } catch {
      this.leave(room, interest, listener);
      throw new RookeryError("UNAVAILABLE");
    }
    return () => this.leave(room, interest, listener);
  }

  private interest(room: string): Interest {
    const there = this.rooms.get(room);
    if (there) return there;
    const listeners = new Set<RoomListener>();
    const subscription = this.link.connection.subscribe(this.prefix + room, {
      callback: (error, message) => {
        const packet = error ? null : decodePacket(room, message.data);
        if (packet) for (const listener of [...listeners]) listener(packet);
      },
    });
    const interest = { listeners, subscription };
    this.rooms.set(room, interest);
    return interest;
  }

  private leave(room: string, interest: Interest, listener: RoomListener): void {
    interest.listeners.delete(listener);
    if (interest.listeners.size > 0 || this.rooms.get(room) !== interest) return;
    this.rooms.delete(room);
    interest.subscription.unsubscribe();
  }

  /** Joins the subscriptions of a tick into one round trip: what was subscribed before it is known after it. */
  private confirmed(): Promise<void> {
    if (!this.link.up) return Promise.reject(new RookeryError("UNAVAILABLE"));
    this.flushing ??= new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.flushing = null;
        const timer = setTimeout(() => reject(new RookeryError("UNAVAILABLE")), INTEREST);
        this.link.connection
          .flush()
          .then(resolve, reject)
          .finally(() => clearTimeout(timer));
      });
    });
    return this.flushing;
  }
}
