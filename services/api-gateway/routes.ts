import type { ActionName } from "../core/contract";
import { access } from "./routes/access";
import { audit } from "./routes/audit";
import { auth } from "./routes/auth";
import { files } from "./routes/files";
import { inRoom, messages } from "./routes/messages";
import { relations } from "./routes/relations";
import { lists, room } from "./routes/rooms";
import { EXPORTS, OWN_PAGES, type Export, type OwnPage, type RestAction, type Route } from "./routes/route";
import { oidc } from "./routes/oidc";
import { service } from "./routes/service";
import { users } from "./routes/users";

/**
 * Every route under `/api`, on one page: what the router answers, what the OpenAPI document describes and what the
 * router's whitelist holds all come from here.
 */
export const ROUTES: readonly Route[] = [
  ...auth,
  ...relations,
  ...access,
  ...oidc,
  ...users,
  ...lists,
  ...room("channels"),
  ...inRoom("channels"),
  ...room("conversations"),
  ...inRoom("conversations"),
  ...messages,
  ...files,
  ...audit,
  ...service,
];

/** Names of the parameters in a route's path. */
export const pathParameters = (route: Route): string[] =>
  [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);

/** Whether the gateway answers the route itself. */
export const isOwnPage = (to: Route["to"]): to is OwnPage => (OWN_PAGES as readonly string[]).includes(to);

export const isExport = (to: Route["to"]): to is Export => (EXPORTS as readonly string[]).includes(to);

/** Every action a route leads to: nothing else can be reached over HTTP. */
export const REST_ACTIONS: readonly ActionName[] = [
  ...new Set(ROUTES.map(route => route.to).filter((to): to is RestAction => !isOwnPage(to) && !isExport(to))),
];
