import { setTimeout as pause } from "node:timers/promises";
import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { metricsOf, type RookeryMetrics } from "../../config/metrics";
import { platformOf, type Platform } from "../../config/platform";
import { isChosen } from "../../mixins/nodes";
import { Rounds } from "../../mixins/rounds";
import { ServicePeers } from "../../mixins/peers";
import { RoomWriters } from "../../mixins/writers";
import { ASIDE, call, type ActionsOf, type Caller, type Events, type Meta } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { browses } from "../core/permissions";
import { callerOf } from "../core/policy";
import { sendOf } from "../core/send";
import * as rules from "../core/rules";
import { SharedCounter } from "../core/shared-counter";
import { spending } from "../core/spending";
import { INTERNAL } from "../core/limits";
import { CallOrder } from "./call-order";
import { Discretion } from "./discretion";
import { Erasure } from "./erasure";
import { EVERYBODY, type MessageStore } from "./message.store";
import { MongoMessageStore } from "./message.store.mongo";
import { SqliteMessageStore } from "./message.store.sqlite";
import type { Rooms } from "./access";
import { Messages } from "./messages";
import { inspect } from "./operators";
import { openRoom, roomList } from "./overview";
import { Reading } from "./reading";
import { Retention, roundEvery } from "./retention";
import { RoomLog } from "./room-log";
import { SendBudget } from "./send-budget";
import { Transfer } from "./transfer";
import { FeedTrimmer, MarkNotes } from "./user-feed";
import { WriteTrace } from "./write-trace";

interface MessagesService extends Service {
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

const seq = rules.whole(0);
const optionalSeq = { ...seq, optional: true } as const;
const attachment = [
  { type: "string", min: 1, max: 200 },
  { type: "object", strict: false, props: { id: rules.id } },
];

const actions = {
  spend: {
    auth: "internal",
    visibility: "public",
    params: spending(["sends"]),
    handler(this: MessagesService, ctx) {
      return this.sends.told(ctx.params.items);
    },
  },
  append: {
    auth: "internal",
    visibility: "public",
    params: {
      entries: { type: "array", min: 1, max: INTERNAL.appendEntries, items: { type: "object", strict: false } },
      line: rules.id,
      n: "number|integer|min:1",
      after: { type: "array", max: INTERNAL.callsBefore, items: "number|integer|min:1" },
    },
    async handler(this: MessagesService, ctx) {
      const { entries, ...turn } = ctx.params;
      const answers = await this.order.run(turn, () => this.log.append(entries));
      this.trimmer.appended(entries, answers);
      return answers;
    },
  },
  heads: {
    auth: "internal",
    visibility: "public",
    params: { rooms: { type: "array", max: 1_000, items: rules.id } },
    async handler(this: MessagesService, ctx) {
      return { epoch: this.store.epoch, heads: Object.fromEntries(await this.store.heads(ctx.params.rooms)) };
    },
  },
  range: {
    auth: "internal",
    visibility: "public",
    params: {
      room: rules.id,
      after: "number|integer|min:0",
      limit: "number|integer|min:1|max:1000",
      maxBytes: "number|integer|min:1",
    },
    async handler(this: MessagesService, ctx) {
      const { room, after, limit, maxBytes } = ctx.params;
      const events = await this.store.events(room, after, limit, maxBytes);
      const head = (await this.store.heads([room])).get(room) ?? { offset: 0, seq: 0, floor: 1 };
      return { events, more: (events.at(-1)?.offset ?? head.offset) < head.offset, head };
    },
  },
  start: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, users: { type: "array", max: 1_000, items: rules.id } },
    async handler(this: MessagesService, ctx) {
      await this.reading.start(ctx.params.room, ctx.params.users);
      return null;
    },
  },
  inspect: {
    auth: "internal",
    visibility: "public",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return inspect(this.store, ctx.params.id);
    },
  },
  trace: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: "number|integer|min:1" },
    handler(this: MessagesService, ctx) {
      return this.trace.of(ctx.params.room, ctx.params.offset);
    },
  },
  shows: {
    auth: "internal",
    visibility: "public",
    params: {
      file: rules.id,
      rooms: { type: "array", max: 1_000, items: { type: "object", props: { room: rules.id, visibleFrom: "number" } } },
    },
    handler(this: MessagesService, ctx) {
      return this.store.shows(ctx.params.file, ctx.params.rooms);
    },
  },
  retention: {
    auth: "internal",
    visibility: "public",
    params: { now: "boolean|optional" },
    handler(this: MessagesService, ctx) {
      if (ctx.params.now) this.rounds.hurry();
      return this.retention.now;
    },
  },
  exportPage: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, after: seq, upTo: seq, visibleFrom: seq, limit: rules.whole(1, 500) },
    handler(this: MessagesService, ctx) {
      return this.transfer.page(ctx.params.room, ctx.params);
    },
  },
  exportReactions: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: rules.whole(1), skip: seq, limit: rules.whole(1, 5_000) },
    handler(this: MessagesService, ctx) {
      const { room, offset, skip, limit } = ctx.params;
      return this.transfer.reactions(room, offset, skip, limit);
    },
  },
  exportOwn: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id, after: "string|max:200", limit: rules.whole(1, 500) },
    handler(this: MessagesService, ctx) {
      const { room, user, after, limit } = ctx.params;
      return this.transfer.own(room, user, after, limit);
    },
  },
  erase: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id, after: "string|max:200" },
    handler(this: MessagesService, ctx) {
      const { room, user, after } = ctx.params;
      return this.erasure.step(room, user, after);
    },
  },
  forget: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id },
    async handler(this: MessagesService, ctx) {
      await this.erasure.forget(ctx.params.room, ctx.params.user);
      return null;
    },
  },
  exportVersions: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: rules.whole(1), skip: seq },
    handler(this: MessagesService, ctx) {
      const { room, offset, skip } = ctx.params;
      return this.transfer.versions(room, offset, skip);
    },
  },
  exportAside: {
    auth: "internal",
    visibility: "public",
    params: {
      user: rules.id,
      what: { type: "enum", values: [...ASIDE] },
      after: { type: "object", optional: true, props: { room: rules.id, seq } },
      limit: rules.whole(1, 500),
    },
    handler(this: MessagesService, ctx) {
      const { user, what, after, limit } = ctx.params;
      return this.store.aside(user, what, after, limit);
    },
  },
  exportMarks: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, user: rules.id },
    handler(this: MessagesService, ctx) {
      return this.store.markOf(ctx.params.room, ctx.params.user);
    },
  },
  importMarks: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, users: { type: "array", max: 500, items: rules.id }, seq },
    async handler(this: MessagesService, ctx) {
      const { room, users, seq: upTo } = ctx.params;
      await this.reading.imported(room, users, upTo);
      return null;
    },
  },
  send: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      text: { type: "string", optional: true },
      clientId: { ...rules.clientId, optional: true, nullable: true },
      attachments: { type: "array", optional: true, nullable: true, max: 100, items: attachment },
      replyTo: { type: "string", optional: true, nullable: true, max: 200 },
      threadId: { type: "string", optional: true, nullable: true, max: 200 },
      metadata: { type: "object", strict: false, optional: true, nullable: true },
    },
    async handler(this: MessagesService, ctx) {
      const { message, duplicate } = await this.messages.write(ctx.params.id, callerOf(ctx.meta), sendOf(ctx.params));
      if (duplicate) ctx.meta.$statusCode = 200;
      return message;
    },
  },
  history: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      before: optionalSeq,
      after: optionalSeq,
      around: optionalSeq,
      limit: { ...rules.whole(1), optional: true },
      ...rules.paging,
    },
    handler(this: MessagesService, ctx) {
      const { id, ...query } = ctx.params;
      return this.messages.history(roomsOf(ctx), callerOf(ctx.meta).id, id, query);
    },
  },
  get: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.get(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id);
    },
  },
  edit: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, text: "string" },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "edit", id: ctx.params.id, text: ctx.params.text });
    },
  },
  remove: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "delete", id: ctx.params.id });
    },
  },
  react: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, emoji: "string|min:1|max:64" },
    handler(this: MessagesService, ctx) {
      const { id, emoji } = ctx.params;
      return this.messages.change(callerOf(ctx.meta), { op: "react", id, emoji, on: true });
    },
  },
  unreact: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, emoji: "string|min:1|max:64" },
    handler(this: MessagesService, ctx) {
      const { id, emoji } = ctx.params;
      return this.messages.change(callerOf(ctx.meta), { op: "react", id, emoji, on: false });
    },
  },
  pin: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "pin", id: ctx.params.id, on: true });
    },
  },
  unpin: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "pin", id: ctx.params.id, on: false });
    },
  },
  pins: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.pins(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id);
    },
  },
  versions: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.versions(roomsOf(ctx), callerOf(ctx.meta), ctx.params.id);
    },
  },
  hide: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: MessagesService, ctx) {
      await this.messages.hide(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id);
      return null;
    },
  },
  replies: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, before: optionalSeq, after: optionalSeq, limit: { ...rules.whole(1), optional: true } },
    handler(this: MessagesService, ctx) {
      const { id, ...query } = ctx.params;
      return this.messages.replies(roomsOf(ctx), callerOf(ctx.meta).id, id, query);
    },
  },
  threads: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, ...rules.paging },
    handler(this: MessagesService, ctx) {
      return this.messages.threads(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params);
    },
  },
  readThread: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.messages.readThread(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params.seq);
      return null;
    },
  },
  read: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq, private: "boolean|optional" },
    async handler(this: MessagesService, ctx) {
      const { id, seq: upTo, private: alone } = ctx.params;
      reachable(ctx);
      await this.reading.read(roomsOf(ctx), callerOf(ctx.meta).id, id, upTo, alone);
      return null;
    },
  },
  readAll: {
    auth: "user",
    visibility: "published",
    params: { private: "boolean|optional" },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.reading.readAll(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.private);
      return null;
    },
  },
  markUnread: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq: rules.whole(1) },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.reading.unreadFrom(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params.seq);
      return null;
    },
  },
  delivered: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, seq },
    async handler(this: MessagesService, ctx) {
      reachable(ctx);
      await this.reading.delivered(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id, ctx.params.seq);
      return null;
    },
  },
  receipts: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, ...rules.paging },
    handler(this: MessagesService, ctx) {
      const { id, ...paging } = ctx.params;
      return this.messages.receipts(roomsOf(ctx), callerOf(ctx.meta).id, id, paging);
    },
  },
  unread: {
    auth: "user",
    visibility: "published",
    params: {},
    handler(this: MessagesService, ctx) {
      return this.reading.unread(roomsOf(ctx), callerOf(ctx.meta).id);
    },
  },
  overview: {
    auth: "user",
    visibility: "published",
    params: rules.paging,
    handler(this: MessagesService, ctx) {
      const { limits } = platformOf(this.broker);
      return roomList(this.store, roomsOf(ctx), callerOf(ctx.meta).id, ctx.params, limits);
    },
  },
  open: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, around: optionalSeq, limit: { ...rules.whole(1), optional: true } },
    handler(this: MessagesService, ctx) {
      const { id, ...query } = ctx.params;
      const { limits } = platformOf(this.broker);
      return openRoom(this.store, roomsOf(ctx), callerOf(ctx.meta).id, id, query, limits);
    },
  },
} satisfies ActionsOf<"messages">;

const MessagesSchema: ServiceSchema<ServiceSettingSchema, never, never, MessagesService> = {
  name: "messages",
  actions,

  events: {
    "users.relations": {
      handler(this: MessagesService, ctx: Context<Events["users.relations"]>) {
        for (const { user, other } of ctx.params.changes)
          if (other === null) this.discretion?.forget(user);
          else this.log?.askAnew([user, other]);
      },
    },
  },

  created(this: MessagesService) {
    this.ending = new AbortController();
  },

  async started(this: MessagesService) {
    const platform = platformOf(this.broker);
    const { config, clock, limits, bus } = platform;
    const metrics = metricsOf(this.broker);
    const now = (): number => clock.monotonic();
    this.peers = new ServicePeers(this.broker, "messages", now);
    this.sends = new SharedCounter(
      { most: limits.sendBurst, perSecond: limits.sendsPerSecond },
      this.peers.telling("messages.spend", "sends", () => this.sends.moved()),
      now,
    );
    const budget = new SendBudget(this.sends);
    // What is not told now the files service finds by itself.
    const release = (ids: string[]) => call(this.broker, "files.release", { ids });
    const retentionOf = async (room: string) => (await call(this.broker, "rooms.retentionOf", { rooms: [room] }))[0];
    this.store = await openStore(platform, metrics);
    this.trace = new WriteTrace(clock);
    this.order = new CallOrder();
    this.log = new RoomLog({
      store: this.store,
      bus,
      clock,
      limits,
      access: async (user, room, browses) => {
        const [access] = await call(this.broker, "rooms.access", { user, browses, rooms: [room], blocks: true });
        return access ?? { room, denied: "NOT_FOUND", role: null, visibleFrom: 0 };
      },
      rules: room => call(this.broker, "rooms.rules", { room }),
      held: async room => (await retentionOf(room))?.hold ?? false,
      online: room => online(this.broker, room),
      attach: (owner, room, ids) => call(this.broker, "files.attach", { owner, room, ids }),
      named: usernames => call(this.broker, "users.byUsernames", { usernames }),
      prepare: sends => (config.rateLimit === "off" ? undefined : budget.prepare(sends)),
      throttle(user) {
        if (config.rateLimit === "off") return 0;
        const wait = budget.take(user);
        if (wait > 0) metrics.rateLimited("send", config.rateLimit === "on");
        return config.rateLimit === "on" ? wait : 0;
      },
      reachable: () => platform.link?.up ?? true,
      report: (what, detail) => this.logger.error(what, detail),
      committed: entries => metrics.committed(entries),
      conflicted: () => metrics.conflicted(),
      doubted: () => metrics.doubted(),
      doubtSettled: () => metrics.doubtSettled(),
      freed: files => void release([...files]).catch(() => undefined),
      trace: this.trace,
    });
    this.peers.start(platform.link);
    this.unwatch = platform.link?.onUp(() => this.log.tellHeads());
    metrics.watchQueue("rooms", () => this.log.waiting);
    this.writers = new RoomWriters(this.broker);
    this.notes = new MarkNotes(requests => this.writers.append(requests));
    this.trimmer = new FeedTrimmer(this.store, error =>
      this.logger.warn("a feed stays longer than it need be", { error: String(error) }),
    );
    this.transfer = new Transfer(this.store);
    this.erasure = new Erasure(this.store, requests => this.writers.append(requests));
    this.messages = new Messages(this.store, this.writers, this.notes, limits);
    this.discretion = new Discretion(
      user => call(this.broker, "users.discreet", { user }),
      () => clock.monotonic(),
    );
    this.reading = new Reading(this.store, this.notes, bus, limits, user => this.discretion.of(user));
    this.retention = new Retention({
      store: this.store,
      clock,
      days: config.retentionDays,
      rooms: (after, limit) => call(this.broker, "rooms.retention", { after, limit }),
      room: retentionOf,
      expire: async (room, id) => {
        const entry = { op: "expire", changeId: newId(), id } as const;
        const [answer] = await this.writers.append([{ room, entry }]);
        if (!answer?.ok) throw new RookeryError(answer?.error.code ?? "UNAVAILABLE", answer?.error.detail);
      },
      told: (room, floor) => bus.publish({ type: "floor", room, floor }),
      release,
      pause: ms => pause(ms, undefined, { signal: this.ending.signal, ref: false }).catch(() => undefined),
      going: () => !this.ending.signal.aborted && isChosen(this.broker, "messages"),
      failed: (error, about) => this.rounds.failed(error, about),
      removed: entries => metrics.retire(entries),
    });
    this.rounds = new Rounds(
      async () => {
        if (!this.retention.now.chosen) return;
        const removed = await (this.round = this.retention.round());
        const { last } = this.retention.now;
        if (removed > 0) this.logger.info("removed what was too old", { entries: removed, ms: last?.took });
      },
      { every: roundEvery(config.retentionDays), log: this.logger, what: "what is too old stays for the next round" },
    );
    metrics.watchRetention(() => this.retention.now);
  },

  async stopped(this: MessagesService) {
    this.ending.abort();
    this.rounds?.stop();
    // Ends after the step under way.
    await this.round?.catch(() => undefined);
    this.notes?.close();
    this.writers?.close();
    this.unwatch?.();
    this.peers?.close();
    this.sends?.close();
    this.log?.close();
    await this.store?.close();
  },
};

export default MessagesSchema;

async function openStore(platform: Platform, metrics: RookeryMetrics): Promise<MessageStore> {
  const stored = (ms: number) => metrics.stored(ms / 1000);
  if (platform.config.cluster) return MongoMessageStore.open(await platform.mongo(), stored);
  const database = await platform.database();
  database.onCommit(stored);
  metrics.watchQueue("store", () => database.stats().queue);
  return SqliteMessageStore.open(database);
}

/** Whom `@here` names: a message cannot name more than so many of them one by one. */
const NAMED = 100;
/** Users whose presence is asked for by one call. */
const ASKED = 1_000;

async function online(via: Caller, room: string): Promise<readonly string[]> {
  const members = await call(via, "rooms.memberIds", { room, limit: ASKED + 1 });
  if (members.length > ASKED) return [EVERYBODY];
  const statuses = await call(via, "presence.of", { users: members });
  const there = members.filter(user => statuses[user] === "online");
  return there.length > NAMED ? [EVERYBODY] : there;
}

function roomsOf(via: Context<unknown, Meta> & Caller): Rooms {
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
function reachable(ctx: Context): void {
  if (platformOf(ctx.broker).link?.up === false) throw new RookeryError("UNAVAILABLE");
}
