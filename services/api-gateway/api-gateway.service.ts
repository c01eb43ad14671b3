import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Context, Service, ServiceSchema } from "moleculer";
import ApiGatewayMixin, { type ApiRouteSchema, type ApiSettingsSchema, type IncomingRequest } from "moleculer-web";
import { metricsOf } from "../../config/metrics";
import { platformOf, type Platform } from "../../config/platform";
import { ServicePeers } from "../../mixins/peers";
import { BrowserCookie } from "../core/browser-cookie";
import { TrustedProxies } from "../core/client-address";
import { auditRefusal } from "../core/audit";
import { call, type ActionsOf, type Events } from "../core/contract";
import { isId } from "../core/ids";
import { Authenticator } from "./authenticate";
import { Cors } from "../core/cors";
import { exchangeOf } from "./exchange";
import { Exports } from "./exports";
import { httpError, sendProblem } from "./http-errors";
import { Listener } from "./listener";
import { ownPages, webClient, type StaticFiles } from "./pages";
import { parseQuery } from "./params";
import { wholeHealth } from "./whole-health";
import { LIMIT_KINDS, RateLimit, WINDOW, type LimitKind } from "./rate-limit";
import { PersonalTokenCache } from "../core/personal-tokens";
import { RevocationFeed } from "../core/revocation-feed";
import { SharedCounter } from "../core/shared-counter";
import { spending } from "../core/spending";
import { restRoute } from "./router";
import { isApi } from "./security-headers";
import { close, createHttpServer, listen } from "./server";

/** Milliseconds between looks at the head of the revocation log, and what one look may take. */
const COMPARE_EVERY = 1_000;
const COMPARE_TIMEOUT = 2_000;
const HEALTH = "/api/health";
/** Milliseconds a token made by a node with another clock may live longer. */
const TOKEN_SLACK = 60_000;

const actions = {
  spend: {
    auth: "internal",
    visibility: "public",
    params: spending(LIMIT_KINDS),
    handler(this: Gateway, ctx) {
      return this.counters[ctx.params.limit as LimitKind].told(ctx.params.items);
    },
  },
} satisfies ActionsOf<"api-gateway">;

interface GatewayMethods {
  httpHandler(req: IncomingMessage, res: ServerResponse): Promise<void>;
  sendResponse(req: IncomingMessage, res: ServerResponse, data: unknown, action: object): void;
  addRoute(route: ApiRouteSchema): unknown;
  fail(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void>;
}

interface GatewayState {
  platform: Platform;
  server: Server;
  revocations: RevocationFeed;
  timer: NodeJS.Timeout | undefined;
  counters: Record<LimitKind, SharedCounter>;
  peers: ServicePeers;
  /** Whether another listener of this process takes our connections. */
  handedOver: boolean;
  /** Answers what no route did. */
  serve: StaticFiles;
  regenerateAllAutoAliases(): void;
}

type Gateway = Service<ApiSettingsSchema> & GatewayMethods & GatewayState;

const mixin = ApiGatewayMixin as ServiceSchema & { methods: Record<string, (...args: unknown[]) => unknown> };

/**
 * REST, its documentation and the web client. In one process with the ws-gateway it opens no port: the engine there owns
 * it and hands over what is not for sockets.
 */
const ApiGateway: ServiceSchema<ApiSettingsSchema, never, never, Gateway> = {
  name: "api-gateway",
  mixins: [mixin],
  settings: {
    server: false,
    // Not []: for an empty list the router makes a route that publishes every action by name.
    routes: null as never,
    logRequest: null,
    logRequestParams: null,
    logResponse: null,
    logResponseData: null,
    logRouteRegistration: null,
  },

  actions: {
    /** The router itself, with a request and its answer. Spans would hold URLs with their queries. */
    rest: { auth: "internal", visibility: "private", tracing: false },
    ...actions,
    listAliases: false,
    addRoute: false,
    removeRoute: false,
  },

  events: {
    "auth.revoked": {
      handler(this: Gateway, ctx: Context<Events["auth.revoked"]>) {
        this.revocations.add(ctx.params.items);
      },
    },
  },

  methods: {
    /** HEAD is GET without the body. */
    resolveAlias(this: Gateway, url: string, method?: string) {
      return mixin.methods["resolveAlias"]?.call(this, url, method === "HEAD" ? "GET" : method);
    },

    parseQueryString(req: IncomingMessage) {
      const { path } = exchangeOf(req);
      return { url: path, query: parseQuery((req.url ?? "").slice(path.length + 1)) };
    },

    errorHandler(this: Gateway, req: IncomingMessage, res: ServerResponse, error: unknown) {
      void this.fail(req, res, error);
    },

    sendError(this: Gateway, req: IncomingMessage, res: ServerResponse, error: unknown) {
      void this.fail(req, res, error);
    },

    /** Answers with an error; whom it refuses is recorded before. */
    async fail(this: Gateway, req: IncomingMessage, res: ServerResponse, error: unknown) {
      const { id, path, address, credentials } = exchangeOf(req);
      const shown = httpError(error, req.method);
      if (shown.code === "INTERNAL") {
        this.logger.error(`request ${id} failed: ${req.method} ${path}`, error);
      }
      const { $alias, $params } = req as Partial<IncomingRequest>;
      const what = $alias ? `${$alias.method} /${$alias.path}` : "requests";
      const object = /^(channels|conversations)\/:id\b/.test($alias?.path ?? "") && $params?.["id"];
      const { identity } = credentials;
      await auditRefusal(this.broker, this.platform.clock, {
        ...{ code: shown.code, errors: shown.errors, what, address },
        ...(isId(object) && { object }),
        ...(identity && { user: identity.id }),
      });
      if (isApi(path) || res.headersSent || shown.code !== "NOT_FOUND") sendProblem(res, shown);
      else res.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" }).end("Not found\n");
    },
  },

  created(this: Gateway) {
    const platform = platformOf(this.broker);
    const { config, limits, clock } = platform;
    const now = (): number => clock.monotonic();
    this.platform = platform;
    this.handedOver = config.cluster === null && config.services.includes("ws-gateway");
    // The router would look for routes in other services' schemas at every change; ours are all in one table.
    this.regenerateAllAutoAliases = () => undefined;

    this.revocations = new RevocationFeed({
      fetch: after => call(this.broker, "auth.revocations", { after }, { timeout: COMPARE_TIMEOUT }),
      clock,
      keepFor: platform.tokens.ttl * 1000 + TOKEN_SLACK,
      lossy: config.cluster !== null,
    });
    const personal = new PersonalTokenCache({
      exchange: token => call(this.broker, "auth.exchangeToken", { token }),
      tokens: platform.tokens,
      refuses: token => this.revocations.refuses(token),
      clock,
    });
    const metrics = metricsOf(this.broker);
    this.peers = new ServicePeers(this.broker, "api-gateway", now);
    const counter = (limit: LimitKind, most: number, sure: boolean): SharedCounter => {
      const peers = this.peers.telling("api-gateway.spend", limit, () => this.counters[limit].moved());
      return new SharedCounter({ most, windowMs: WINDOW }, peers, now, sure);
    };
    this.counters = {
      requests: counter("requests", limits.requestsPerMinute, false),
      signIns: counter("signIns", limits.signInsPerMinute, true),
    };
    const rateLimit = new RateLimit(config.rateLimit, this.counters, limit =>
      metrics.rateLimited(limit, config.rateLimit === "on"),
    );
    const health = wholeHealth(this.broker, linkOf(platform), now);
    this.addRoute(
      restRoute({
        limits,
        rateLimit,
        pages: ownPages(limits, config.accounts, health),
        cookie: new BrowserCookie(config.publicUrl),
        exports: new Exports(clock, (what, detail) => this.logger.info(what, detail)),
        respond: (req: IncomingRequest, res, data) => this.sendResponse(req, res, data, {}),
      }),
    );
    const files = webClient();
    this.serve = (req, res, next) => {
      if (isApi(exchangeOf(req).path)) next();
      else files(req, res, next);
    };
    const listener = new Listener({
      authenticator: new Authenticator(platform.tokens, this.revocations, personal),
      rateLimit,
      cors: new Cors(config.allowedOrigins),
      proxies: new TrustedProxies(config.trustedProxies),
      ownConnections: !this.handedOver,
      now,
      // Whoever watches over us asks all day long; that all is well is no news.
      log: line => this.logger[line.path === HEALTH && line.status === 200 ? "debug" : "info"]("request", line),
      answer: (req, res) => this.httpHandler(req, res),
      fail: (req, res, error) => this.fail(req, res, error),
    });
    this.server = createHttpServer(listener.handle);
  },

  async started(this: Gateway) {
    const { config, origin } = this.platform;
    this.peers.start(this.platform.link);
    this.timer = setInterval(() => void this.revocations.compare(), COMPARE_EVERY).unref();
    if (this.handedOver) origin.serve(this.server);
    else origin.port = await listen(this.server, config.host, config.port);
  },

  async stopped(this: Gateway) {
    clearInterval(this.timer);
    this.peers.close();
    for (const limit of LIMIT_KINDS) this.counters[limit].close();
    if (this.handedOver) this.platform.origin.serve(undefined);
    else await close(this.server);
  },
};

export default ApiGateway;

/** The platform's link, which is there from the start of the broker on; null in the embedded shape. */
const linkOf = (platform: Platform): { up: boolean } | null =>
  platform.config.cluster && {
    get up() {
      return platform.link?.up === true;
    },
  };
