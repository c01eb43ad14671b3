import { systemClock } from "../../../services/core/clock";
import type { AppendAnswer, RoomAccess, UserOperation } from "../../../services/core/contract";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import type { Identity, Message } from "../../../services/core/model";
import { MemoryRoomBus, type RoomEvent } from "../../../services/core/room-bus";
import type { MessageStore } from "../../../services/messages/message.store";
import { RoomLog } from "../../../services/messages/room-log";
import type { WriterDependencies } from "../../../services/messages/room-writer";
import { identity } from "../../support/broker";

export { openStore, type FaultyStore } from "./stores";

const logs: RoomLog[] = [];

afterAll(() => {
  for (const log of logs) log.close();
});

export interface Ground {
  log: RoomLog;
  /** What the bus carried, in the order it came. */
  seen: RoomEvent[];
  room: string;
  /** Answers of the rooms service by user; members by default. */
  access: Map<string, Partial<RoomAccess>>;
  send(user: Identity, text: string, more?: object): Promise<AppendAnswer>;
  op(user: Identity, entry: UserOperation): Promise<AppendAnswer>;
}

export function ground(store: MessageStore, room: string = newId(), more: Partial<WriterDependencies> = {}): Ground {
  const bus = new MemoryRoomBus();
  const seen: RoomEvent[] = [];
  const access = new Map<string, Partial<RoomAccess>>();
  void bus.subscribe(room, packet => {
    if (packet.type === "events") seen.push(...packet.events);
  });
  const log = new RoomLog({
    store,
    bus,
    clock: systemClock,
    limits: LIMITS,
    access: async (user, id) => ({ room: id, role: "member", visibleFrom: 0, ...access.get(user) }),
    rules: async () => ({ kind: "channel", mode: "open", slowMode: 0 }),
    held: async () => false,
    online: async () => [],
    attach: async () => [],
    named: async () => [],
    throttle: () => 0,
    report: () => undefined,
    ...more,
  });
  logs.push(log);
  const op: Ground["op"] = async (user, entry) => (await log.append([{ room, user, entry }]))[0] as AppendAnswer;
  return { log, seen, room, access, op, send: (user, text, extra = {}) => op(user, { op: "send", text, ...extra }) };
}

export const person = (): Identity => identity();

/** The message of an answer that must be ok. */
export function message(answer: AppendAnswer): Message {
  if (!answer.ok) throw new Error(`refused: ${answer.error.code}`);
  return JSON.parse(answer.data) as Message;
}

export const codeOf = (answer: AppendAnswer): string => (answer.ok ? "ok" : answer.error.code);
