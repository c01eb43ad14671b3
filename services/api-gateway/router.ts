import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { Context } from "moleculer";
import type { Alias, ApiRouteSchema, IncomingRequest } from "moleculer-web";
import type { BrowserCookie } from "../core/browser-cookie";
import { call, type Meta } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import { admit } from "./authenticate";
import { readJson } from "./body";
import { exchangeOf } from "./exchange";
import type { Exports } from "./exports";
import { mergeParams, queryOf, type Query } from "./params";
import { addressKey, type RateLimit } from "./rate-limit";
import { isExport, isOwnPage, REST_ACTIONS, ROUTES } from "./routes";
import type { OwnPage, Route } from "./routes/route";
import { openUpload } from "./upload";

/** Milliseconds an action may take: longer than the writer of a room, shorter than the promise to answer within 10 s. */
const CALL_TIMEOUT = 8_000;
/** Characters kept of what a client calls itself. */
const USER_AGENT = 200;
/** Milliseconds an upload may take; its pace is watched where the bytes come in. */
const UPLOAD_TIMEOUT = 600_000;

export interface RouterParts {
  limits: Limits;
  rateLimit: RateLimit;
  pages: Record<OwnPage, (params: Record<string, unknown>, res: ServerResponse) => Promise<void> | void>;
  exports: Exports;
  cookie: BrowserCookie;
  /** Writes an answer as the router does for an action. */
  respond(req: IncomingRequest, res: ServerResponse, data: unknown): void;
}

type Request = IncomingRequest & { $ctx: Context<unknown, Meta> };
type Handler = (req: Request, res: ServerResponse, next: (error: unknown) => void) => void;

/** The one route of the router: exactly the aliases of the table, and nothing by action name. */
export function restRoute(parts: RouterParts): ApiRouteSchema {
  const routes = new Map(ROUTES.map(route => [aliasKey(route.method, aliasPath(route)), route]));
  const routeOf = (alias: Alias): Route => routes.get(aliasKey(alias.method, alias.path)) as Route;
  return {
    name: "rest",
    path: "/api",
    mappingPolicy: "restrict",
    whitelist: [...REST_ACTIONS],
    autoAliases: false,
    aliases: Object.fromEntries(ROUTES.map(route => [`${route.method} ${aliasPath(route)}`, target(route, parts)])),
    // Case counts: one path has one spelling, here and wherever a rule looks at it.
    pathToRegexpOptions: { sensitive: true },
    mergeParams: false,
    bodyParsers: false,
    logging: false,
    callOptions: { timeout: CALL_TIMEOUT },

    async onBeforeCall(ctx: Context<unknown, Meta>, _: unknown, req: Request, res: ServerResponse, alias: Alias) {
      const route = routeOf(alias);
      const { address, credentials } = exchangeOf(req);
      if (route.signIn) await parts.rateLimit.take("signIns", addressKey(address), res);
      const user = admit(route, credentials);
      ctx.meta.address = address;
      if (route.tag === "auth") ctx.meta.userAgent = req.headers["user-agent"]?.slice(0, USER_AGENT);
      if (user) ctx.meta.user = user;
      if (route.browser) ctx.meta.browser = parts.cookie.read(req.headers.cookie);
      const { query, params } = req.$params as { query: Query; params: Record<string, unknown> };
      const takesBody = route.method !== "GET" && route.bytes !== "upload";
      req.$params = mergeParams(
        params,
        queryOf(route, query),
        takesBody ? await readJson(req, parts.limits.frame) : {},
      );
    },

    onAfterCall(ctx: Context<unknown, Meta>, _: unknown, req: Request, _res: ServerResponse, data: unknown) {
      finish(ctx, routeOf(req.$alias), req, data);
      return data;
    },
  } as unknown as ApiRouteSchema;
}

const aliasPath = (route: Route): string => route.path.replace(/\{(\w+)\}/g, ":$1");
const aliasKey = (method: string, path: string): string => `${method} ${path.replace(/^\//, "")}`;

function target(route: Route, parts: RouterParts): string | Handler {
  const { to } = route;
  if (isExport(to))
    return handler((req, res) =>
      parts.exports.send(to, req.$ctx, req.$params as Record<string, string>, res, req.method === "HEAD"),
    );
  if (isOwnPage(to)) return handler((req, res) => parts.pages[to](req.$params as Record<string, unknown>, res));
  if (route.bytes === "upload") return handler((req, res) => upload(route, parts, req, res));
  return to;
}

/** The router waits for `next` or for the end of the answer, not for promises. */
const handler =
  (answer: (req: Request, res: ServerResponse) => Promise<void> | void): Handler =>
  (req, res, next) =>
    void Promise.resolve()
      .then(() => answer(req, res))
      .catch(next);

async function upload(route: Route, parts: RouterParts, req: Request, res: ServerResponse): Promise<void> {
  const { name } = req.$params as { name?: string };
  const file = await openUpload(req, name, parts.limits.file);
  try {
    const options = { stream: file.stream, timeout: UPLOAD_TIMEOUT };
    const record = await call(req.$ctx, "files.save", file.fields, options);
    finish(req.$ctx, route, req, record);
    parts.respond(req, res, record);
  } catch (error) {
    throw file.failure ?? error;
  } finally {
    file.release();
  }
}

/** Status and place of what an action answered. */
function finish({ meta }: Context<unknown, Meta>, route: Route, req: Request, data: unknown): void {
  meta.$statusCode ??= route.status;
  if (meta.$statusCode === 201) meta.$location = route.location?.(data as object) ?? exchangeOf(req).path;
  // The router sends the headers only and would leave the stream open.
  if (req.method === "HEAD" && isStream(data)) data.destroy();
  if (route.status !== 204 && route.status !== 202 && (data === null || data === undefined)) {
    throw new RookeryError("INTERNAL", `${route.to} gave no answer`);
  }
}

const isStream = (data: unknown): data is Readable =>
  typeof (data as Readable | null)?.pipe === "function" && typeof (data as Readable).destroy === "function";
