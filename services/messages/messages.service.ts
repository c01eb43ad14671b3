import { setTimeout as pause } from "node:timers/promises";
import type { Context, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { metricsOf, type RookeryMetrics } from "../../config/metrics";
import { platformOf, type Platform } from "../../config/platform";
import { isChosen } from "../../mixins/nodes";
import { Rounds } from "../../mixins/rounds";
import { ServicePeers } from "../../mixins/peers";
import { RoomWriters } from "../../mixins/writers";
import { call, type ActionsOf, type Caller, type Events } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { SharedCounter } from "../core/shared-counter";
import { CallOrder } from "./call-order";
import { Discretion } from "./discretion";
import { Erasure } from "./erasure";
import { EVERYBODY, type MessageStore } from "./message.store";
import { MongoMessageStore } from "./message.store.mongo";
import { SqliteMessageStore } from "./message.store.sqlite";
import { Messages } from "./messages";
import { Reading } from "./reading";
import { Retention, roundEvery } from "./retention";
import { RoomLog } from "./room-log";
import { SendBudget } from "./send-budget";
import { Transfer } from "./transfer";
import { FeedTrimmer, MarkNotes } from "./user-feed";
import { WriteTrace } from "./write-trace";
import { log } from "./actions/log";
import { marks } from "./actions/marks";
import { reading } from "./actions/reading";
import { transfer } from "./actions/transfer";
import { writing } from "./actions/writing";
import type { MessagesService } from "./parts";

const actions = {
  ...log,
  ...transfer,
  ...writing,
  ...reading,
  ...marks,
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
