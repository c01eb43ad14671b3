import { Platform } from "../../config/platform";
import { MongoMessageStore } from "../../services/messages/message.store.mongo";
import { SqliteMessageStore } from "../../services/messages/message.store.sqlite";
import type { MessageStore } from "../../services/messages/message.store";
import type { RoomBus } from "../../services/core/room-bus";
import { UwsEngine } from "../../services/ws-gateway/engine.uws";
import { WsEngine } from "../../services/ws-gateway/engine.ws";
import type { Engine, Socket } from "../../services/ws-gateway/engine";
import { Gateway } from "../../services/ws-gateway/gateway";
import type { SqliteDatabase } from "../../mixins/sqlite/database";

/** The interfaces of the product, where what stands behind them can be wrapped before anybody has it. */

/** `base` with some of its methods replaced. */
const over = <T extends object>(base: T, methods: Partial<T>): T => Object.assign(Object.create(base) as T, methods);

/** The room log of either shape. */
export function wrapStore(wrap: (store: MessageStore) => Partial<MessageStore>): void {
  for (const driver of [SqliteMessageStore, MongoMessageStore] as unknown as Driver[]) {
    const open = driver.open.bind(driver);
    driver.open = async (...args) => {
      const store = await open(...args);
      return over(store, wrap(store));
    };
  }
}

interface Driver {
  open(...args: unknown[]): Promise<MessageStore>;
}

/** The room log of the embedded shape, with the file it is kept in. */
export function wrapEmbeddedStore(
  wrap: (store: MessageStore, database: SqliteDatabase) => Partial<MessageStore>,
): void {
  const driver = SqliteMessageStore as unknown as { open(database: SqliteDatabase): Promise<MessageStore> };
  const open = driver.open.bind(driver);
  driver.open = async database => {
    const store = await open(database);
    return over(store, wrap(store, database));
  };
}

/** The fan-out, as writers and gateways of a process share it. */
export function wrapBus(wrap: (bus: RoomBus) => Partial<RoomBus>): void {
  const { get } = Object.getOwnPropertyDescriptor(Platform.prototype, "bus") as { get(): RoomBus };
  const wrapped = new WeakMap<RoomBus, RoomBus>();
  Object.defineProperty(Platform.prototype, "bus", {
    get(this: Platform): RoomBus {
      const bus = get.call(this);
      const known = wrapped.get(bus) ?? over(bus, wrap(bus));
      wrapped.set(bus, known);
      return known;
    },
  });
}

type Publish = (topic: string, text: string) => void;

/** The engine's publish to all readers of a room; `wrap` is called once an engine. */
export function wrapPublish(wrap: (publish: Publish) => Publish): void {
  for (const { prototype } of [UwsEngine, WsEngine] as { prototype: Engine }[]) {
    const original = prototype.publish;
    const wrapped = new WeakMap<Engine, Publish>();
    prototype.publish = function (this: Engine, topic, text) {
      const publish = wrapped.get(this) ?? wrap((...args) => original.apply(this, args));
      wrapped.set(this, publish);
      publish(topic, String(text));
    };
  }
}

/** Every socket as the gateway gets it, changed in place: it is known by its identity. */
export function wrapSockets(wrap: (socket: Socket) => Partial<Socket>): void {
  const { open } = Gateway.prototype;
  Gateway.prototype.open = function (this: Gateway, socket) {
    Object.assign(socket, wrap(socket));
    open.call(this, socket);
  };
}

/** True for every n-th call: what goes wrong now and then goes wrong in every run, but not at once. */
export function everyNth(n: number): () => boolean {
  let count = 0;
  return () => ++count % n === 0;
}

/** Frames that show a stored entry. */
export const isEvent = (text: string): boolean => text.startsWith('{"t":"event"');
