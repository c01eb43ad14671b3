import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { RoomWriters } from "../../mixins/writers";
import { metricsOf, type Outcome } from "../../config/metrics";
import { platformOf, type Platform } from "../../config/platform";
import { nodesWith } from "../../mixins/nodes";
import { audit, auditRefusal, type Refusal } from "../core/audit";
import { call, type ActionsOf, type Events, type LogHead, type ParamsOf } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { HistoryWindow, Identity } from "../core/model";
import { browses } from "../core/permissions";
import { PersonalTokenCache } from "../core/personal-tokens";
import { RevocationFeed } from "../core/revocation-feed";
import * as rules from "../core/rules";
import { AccessReader } from "./access-reader";
import { Commands, type Services } from "./commands";
import { Departure } from "./departure";
import { createEngine, type Engine } from "./engine";
import { Gateway } from "./gateway";
import { HttpHandover } from "./handover";
import { HeadReader } from "./head-reader";
import { HeadWatch } from "./head-watch";
import { Hub } from "./hub";
import { MemoryBudget } from "./memory-budget";
import { Operators } from "./operators";
import { PresenceReport } from "./presence-report";
import { RelationWatch } from "./relation-watch";
import { Watchers } from "./watchers";
import { whereabouts } from "./whereabouts";
import { Entrance, type EntranceDependencies } from "./wires/entrance";
import { Topics } from "./wires/topics";

interface GatewayService extends Service {
  engine: Engine;
  gateway: Gateway;
  entrance: Entrance;
  departure: Departure;
  operators: Operators;
  watchers: Watchers;
  writers: RoomWriters;
  revocations: RevocationFeed;
  /** It is known which tokens were revoked. */
  trusted: boolean;
  presence: PresenceReport;
  sweeper: NodeJS.Timeout;
}

/** Milliseconds between looks at tokens, late hellos and the revocation log. */
const SWEEP = 1_000;
/** Milliseconds without NATS after which a gateway counts as cut off: revocations must reach open sockets or close them. */
const CUT_OFF = 10_000;
/** Seconds over which a drain is spread unless the operator says otherwise, and at most. */
const DRAIN = 30;
const DRAIN_MOST = 3_600;
/** Sockets that an operator is shown unless he asks for fewer. */
const SHOWN = 100;
/** Bytes of the largest frame an answer of ours may be waiting with before the socket counts as slow. */
const BACKPRESSURE = 512 * 1024;
/** Seconds of silence, unanswered pings included, after which a socket is closed. */
const IDLE = 60;
/** A lifetime of tokens is kept in the revocation copy, and some for clocks that differ. Milliseconds. */
const SKEW = 60_000;

/** Milliseconds a node may wait for what another has for a client, and for all else that it asks there. */
const HTTP_WAIT = 30_000;
const HTTP_TIMEOUT = 10_000;

const httpSession = { session: rules.id, user: rules.id };

const actions = {
  sockets: {
    auth: "internal",
    visibility: "public",
    params: { user: `${rules.id}|optional`, limit: { ...rules.whole(1), max: SHOWN, optional: true } },
    handler(this: GatewayService, ctx) {
      return this.operators.sockets(ctx.params.user, ctx.params.limit ?? SHOWN);
    },
  },
  room: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id },
    handler(this: GatewayService, ctx) {
      return this.operators.room(ctx.params.room);
    },
  },
  took: {
    auth: "internal",
    visibility: "public",
    params: { room: rules.id, offset: rules.whole(1) },
    handler(this: GatewayService, ctx) {
      return this.operators.took(ctx.params.room, ctx.params.offset);
    },
  },
  kick: {
    auth: "internal",
    visibility: "public",
    params: { session: rules.id },
    handler(this: GatewayService, ctx) {
      return { closed: this.operators.kick(ctx.params.session) };
    },
  },
  drain: {
    auth: "internal",
    visibility: "public",
    params: { seconds: { ...rules.whole(0), max: DRAIN_MOST, optional: true } },
    handler(this: GatewayService, ctx) {
      const { seconds = DRAIN } = ctx.params;
      return { sockets: this.gateway.drainAll(seconds * 1_000), seconds };
    },
  },
  httpTake: {
    auth: "internal",
    visibility: "public",
    timeout: HTTP_WAIT + HTTP_TIMEOUT,
    params: { ...httpSession, wait: { ...rules.whole(0), max: HTTP_WAIT } },
    handler(this: GatewayService, ctx) {
      return this.entrance.take(ctx.params);
    },
  },
  httpReceived: {
    auth: "internal",
    visibility: "public",
    params: { ...httpSession, number: rules.whole(1) },
    handler(this: GatewayService, ctx) {
      this.entrance.received(ctx.params);
      return null;
    },
  },
  httpPut: {
    auth: "internal",
    visibility: "public",
    timeout: HTTP_TIMEOUT,
    params: { ...httpSession, text: "string" },
    handler(this: GatewayService, ctx) {
      return this.entrance.put(ctx.params);
    },
  },
  httpEnd: {
    auth: "internal",
    visibility: "public",
    params: httpSession,
    handler(this: GatewayService, ctx) {
      return this.entrance.end(ctx.params);
    },
  },
} satisfies ActionsOf<"ws-gateway">;

const WsGatewaySchema: ServiceSchema<ServiceSettingSchema, never, never, GatewayService> = {
  name: "ws-gateway",
  actions,

  events: {
    "auth.revoked": {
      handler(this: GatewayService, ctx: Context<Events["auth.revoked"]>) {
        this.revocations?.add(ctx.params.items);
      },
    },
    "users.relations": {
      handler(this: GatewayService, ctx: Context<Events["users.relations"]>) {
        this.watchers?.related(ctx.params.changes);
      },
    },
    "presence.changed": {
      handler(this: GatewayService, ctx: Context<Events["presence.changed"]>) {
        this.watchers?.changed(ctx.params);
      },
    },
  },

  async started(this: GatewayService) {
    this.trusted = false;
    const platform = platformOf(this.broker);
    const { config, clock, limits, tokens, bus, origin, link, health } = platform;
    const metrics = metricsOf(this.broker);
    const via = this.broker;
    let epoch: string | null = null;
    const heads = new HeadReader(async rooms => {
      const answer = await call(via, "messages.heads", { rooms });
      epoch ??= answer.epoch;
      if (answer.epoch !== epoch)
        platform.end("The log was put back from a backup: what this gateway has passed on is void");
      return answer;
    });
    const topics = new Topics((topic, text) => this.engine.publish(topic, text));
    const rights = new AccessReader(asks => call(via, "rooms.accessMany", { asks }));
    const hub = new Hub({
      bus,
      publish: (room, frame) => topics.publish(room, frame),
      access: (user, browses, rooms) => rights.read(user, browses, rooms),
      heads: async room => (await heads.read(room)) ?? EMPTY,
      range: (room, after, maxBytes) => call(via, "messages.range", { room, after, limit: RANGE, maxBytes }),
      now: () => clock.monotonic(),
      time: () => clock.now(),
      delivered: count => metrics.delivered(count),
      replayed: state => metrics.subscribed(state),
      counts: metrics,
    });
    this.writers = new RoomWriters(via);
    metrics.watchQueue("sends", () => this.writers.size);
    this.watchers = new Watchers(
      whereabouts({
        nodes: () => nodesWith(via, "presence"),
        ask: (users, options) => call(via, "presence.of", { users }, options),
      }),
      asks => call(via, "users.unseen", { asks }),
    );
    const refused = (refusal: Refusal): Promise<void> => auditRefusal(via, clock, refusal);
    const commands = new Commands({
      hub,
      watchers: this.watchers,
      writers: this.writers,
      bus,
      clock,
      limits,
      publicLimits: limits,
      services: servicesOf(this, heads),
      refused: ({ user, socket: { address } }, code, asked) =>
        refused({ code, ...asked, address, ...(user && { user }) }),
      record: ({ user = null, socket: { address } }, note) => audit(via, clock, { ...note, actor: user, address }),
      overLimit(limit) {
        if (config.rateLimit === "off") return false;
        metrics.rateLimited(limit, config.rateLimit === "on");
        return config.rateLimit === "on";
      },
      sent(wire, outcome) {
        metrics.sent(wire);
        metrics.acked(OUTCOMES[outcome] ?? "failed");
      },
    });
    this.revocations = new RevocationFeed({
      fetch: after => call(via, "auth.revocations", { after }),
      clock,
      keepFor: tokens.ttl * 1000 + SKEW,
      lossy: link !== null,
      revoked: items => this.gateway.revoked(items),
    });
    this.presence = new PresenceReport(
      via.nodeID,
      (report, nodeID) => call(via, "presence.report", report, { timeout: 2_000, nodeID }),
      () => nodesWith(via, "presence"),
      () => clock.monotonic(),
    );
    const handover = new HttpHandover(() => origin.server);
    this.gateway = new Gateway({
      hub,
      commands,
      tokens,
      revocations: this.revocations,
      personal: new PersonalTokenCache({
        exchange: token => call(via, "auth.exchangeToken", { token }),
        tokens,
        refuses: token => this.revocations.refuses(token),
        clock,
      }),
      trusted: () => this.trusted,
      clock,
      limits,
      rateLimit: config.rateLimit,
      memory: new MemoryBudget(limits, () => process.memoryUsage.rss(), process.constrainedMemory()),
      allowsOrigin: (from, host) => config.allowedOrigins.includes(from) || isOwnOrigin(from, host),
      request: exchange => handover.handle(exchange),
      refused,
      present: (user, online) => this.presence.set(user, online),
      metrics: {
        framesIn: (wire, count) => metrics.received(wire, count),
        rateLimited: (limit, refused) => metrics.rateLimited(limit, refused),
        opened: wire => metrics.opened(wire),
        closed: (wire, code) => metrics.closed(wire, code),
      },
    });
    this.entrance = new Entrance({
      gateway: this.gateway,
      topics,
      allowedOrigins: config.allowedOrigins,
      signalr: config.signalr,
      longest: limits.frame,
      nodeID: via.nodeID,
      now: () => clock.monotonic(),
      remote: remoteSessions(via),
    });
    this.engine = await createEngine(config.engine, this.entrance.doors, {
      maxPayload: limits.frame,
      largerAt: this.entrance.largerAt,
      maxBackpressure: BACKPRESSURE,
      idleTimeout: IDLE,
      trustProxies: config.trustedProxies,
    });
    const { name, fallback } = this.engine;
    this.logger.info(`engine ${name}${fallback ? ` (${fallback})` : ""}`);
    await listen(this.engine, platform);
    const { engine, gateway, entrance } = this;
    const others = (): boolean => nodesWith(via, "ws-gateway").some(node => node !== via.nodeID);
    this.departure = new Departure({ engine, gateway, entrance, others });
    platform.beforeStop.push(() => this.departure.begin());
    this.operators = new Operators({ connections: this.gateway.connections, hub, clock });
    const watch =
      link &&
      new HeadWatch({ feeds: () => hub.feeds(), heads: rooms => heads.readAll(rooms), now: () => clock.monotonic() });
    // In one process nothing that is told is lost.
    const relations =
      link &&
      new RelationWatch({
        recent: async within => (await call(via, "users.recentRelations", { within })).changes,
        changed: changes => this.watchers.related(changes),
        now: () => clock.monotonic(),
      });
    link?.onUp(() => {
      watch?.all();
      this.watchers.refresh();
      this.watchers.related(null);
    });
    this.writers.onChange((before, now) => {
      const lost = before.nodes.filter(node => !now.has(node));
      if (!watch || lost.length === 0) return;
      metrics.lostWriter(lost.length);
      watch.lost(room => lost.includes(before.of(room) ?? ""));
    });
    const believe = async (): Promise<void> => {
      await this.revocations.compare();
      await this.revocations.ready().then(
        () => (this.trusted = true),
        () => (this.trusted = false),
      );
    };
    this.sweeper = setInterval(() => {
      if (link) this.gateway.isolate(link.downFor >= CUT_OFF);
      this.gateway.sweep();
      this.entrance.tick();
      watch?.tick();
      void this.watchers.settle();
      void relations?.tick();
      void believe();
    }, SWEEP).unref();
    health.need("sockets", () => {
      if (this.gateway.shut) throw new Error("no sockets are taken");
    });
    if (link)
      health.need("auth", () => {
        if (!this.trusted) throw new Error("it is not known which tokens were revoked");
      });
    // In one process everybody can be let in as soon as it is ready; in a cluster auth may come at any time.
    platform.afterStart.push(async () => {
      if (link) void believe();
      else await this.revocations.ready().then(() => (this.trusted = true));
      this.gateway.accept();
    });
  },

  async stopped(this: GatewayService) {
    if (!this.departure) return;
    await this.departure.finish();
    clearInterval(this.sweeper);
    this.writers.close();
    await this.presence.close();
    await this.engine.close();
  },
};

export default WsGatewaySchema;

const EMPTY: LogHead = { offset: 0, seq: 0, floor: 1 };
/** Entries of one range read. */
const RANGE = 1_000;

const OUTCOMES: Record<string, Outcome> = { ok: "ok", UNKNOWN_OUTCOME: "unknown" };

/** In one process this engine owns the origin's port; WS_PORT answers too, unless it is the same. */
async function listen(engine: Engine, { config, origin }: Platform): Promise<void> {
  const alone = config.cluster !== null || !config.services.includes("api-gateway");
  const refuse = (error: unknown): never => {
    throw Object.assign(error as Error, { expected: true });
  };
  if (!alone) origin.port = await engine.listen(config.host, config.port).catch(refuse);
  if (alone || config.wsPort !== config.port) await engine.listen(config.host, config.wsPort).catch(refuse);
}

/** Whether a page of this origin was served by the host it now connects to. */
function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** Sessions over HTTP that other gateways hold. Who is not there holds none. */
function remoteSessions(via: GatewayService["broker"]): EntranceDependencies["remote"] {
  const nodes = (): string[] => nodesWith(via, "ws-gateway");
  const there = (nodeID: string): boolean => nodes().includes(nodeID);
  return {
    nodes,
    take: async (nodeID, params) =>
      there(nodeID) ? call(via, "ws-gateway.httpTake", params, { nodeID, timeout: params.wait + HTTP_TIMEOUT }) : null,
    received: async (nodeID, params) =>
      there(nodeID) ? call(via, "ws-gateway.httpReceived", params, { nodeID, timeout: HTTP_TIMEOUT }) : null,
    put: async (nodeID, params) =>
      there(nodeID) ? call(via, "ws-gateway.httpPut", params, { nodeID, timeout: HTTP_TIMEOUT }) : null,
    end: async (nodeID, params) =>
      there(nodeID) ? call(via, "ws-gateway.httpEnd", params, { nodeID }) : { ended: false },
  };
}

function servicesOf(service: GatewayService, heads: HeadReader): Services {
  const via = service.broker;
  const as = (user: Identity) => ({ meta: { user } });
  return {
    epoch: () => heads.epoch(),
    history: async (user, room, query) =>
      (await call(via, "messages.history", { ...query, id: room }, as(user))) as HistoryWindow,
    async mark(user, mark) {
      const { room: id, seq } = mark;
      if (mark.t === "delivered") await call(via, "messages.delivered", { id, seq }, as(user));
      else await call(via, "messages.read", { id, seq, ...(mark.private && { private: true }) }, as(user));
    },
    async access(user, room) {
      const ask = { user: user.id, browses: browses(user), rooms: [room], blocks: true };
      const [access] = await call(via, "rooms.access", ask);
      if (!access || access.denied) throw new RookeryError(access?.denied ?? "NOT_FOUND");
      return access;
    },
    // The names are checked; the action checks its own parameters.
    call: (user, method, params, address) =>
      call(via, method, params as ParamsOf<typeof method>, { meta: { user, address } }),
  };
}
