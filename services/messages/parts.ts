import type { Context, Service } from "moleculer";
import { platformOf } from "../../config/platform";
import type { Rounds } from "../../mixins/rounds";
import type { ServicePeers } from "../../mixins/peers";
import type { RoomWriters } from "../../mixins/writers";
import { call, type Caller, type Meta } from "../core/contract";
import { RookeryError } from "../core/errors";
import { browses } from "../core/permissions";
import { callerOf } from "../core/policy";
import type { SharedCounter } from "../core/shared-counter";
import type { CallOrder } from "./call-order";
import type { Discretion } from "./discretion";
import type { Erasure } from "./erasure";
import type { MessageStore } from "./message.store";
import type { Rooms } from "./access";
import type { Messages } from "./messages";
import type { Reading } from "./reading";
import type { Retention } from "./retention";
import type { RoomLog } from "./room-log";
import type { Transfer } from "./transfer";
import type { FeedTrimmer, MarkNotes } from "./user-feed";
import type { WriteTrace } from "./write-trace";

/** What the service of this process holds; its actions find it in `this`. */
export interface MessagesService extends Service {
  peers: ServicePeers;
  /** Of each user, on all nodes. */
  sends: SharedCounter;
  /** Where what REST asks for goes: the writer of the room may be another node. */
  writers: RoomWriters;
  store: MessageStore;
  log: RoomLog;
  order: CallOrder;
  notes: MarkNotes;
  trimmer: FeedTrimmer;
  unwatch: (() => void) | undefined;
  trace: WriteTrace;
  retention: Retention;
  rounds: Rounds;
  round: Promise<unknown> | undefined;
  ending: AbortController;
  messages: Messages;
  reading: Reading;
  discretion: Discretion;
  transfer: Transfer;
  erasure: Erasure;
}

/** The owner of rooms, asked within the given request. */
export function roomsOf(via: Context<unknown, Meta> & Caller): Rooms {
  const looksAround = browses(callerOf(via.meta));
  return {
    access: async (user, room, blocks) =>
      (await call(via, "rooms.access", { user, browses: looksAround, rooms: [room], ...(blocks && { blocks }) }))[0],
    blocked: async (user, rooms) => {
      const answers = await call(via, "rooms.access", { user, browses: looksAround, rooms, blocks: true });
      return answers.filter(({ blocked }) => blocked).map(({ room }) => room);
    },
    memberIds: room => call(via, "rooms.memberIds", { room }),
    memberPage: params => call(via, "rooms.memberPage", params),
    memberships: user => call(via, "rooms.memberships", { user }),
    view: (user, room, members) => call(via, "rooms.view", { user, browses: looksAround, room, members }),
    shown: (user, rooms) => call(via, "rooms.shown", { user, rooms }),
  };
}

/** Throws UNAVAILABLE while nobody could be told of what is written. */
export function reachable(ctx: Context): void {
  if (platformOf(ctx.broker).link?.up === false) throw new RookeryError("UNAVAILABLE");
}
