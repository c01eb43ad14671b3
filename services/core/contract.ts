import type { ActionSchema, CallingOptions, Context } from "moleculer";
import type { ApiGatewayActions } from "./contract/api-gateway";
import type { AuthActions, Revocation } from "./contract/auth";
import type { FilesActions } from "./contract/files";
import type { MessagesActions } from "./contract/messages";
import type { NodeActions } from "./contract/node";
import type { PresenceActions, PresenceChange } from "./contract/presence";
import type { RoomsActions } from "./contract/rooms";
import type { RelationChange, UsersActions } from "./contract/users";
import type { WsGatewayActions } from "./contract/ws-gateway";
import type { Identity } from "./model";

export * from "./contract/access";
export * from "./contract/api-gateway";
export * from "./contract/auth";
export * from "./contract/files";
export * from "./contract/log";
export * from "./contract/messages";
export * from "./contract/node";
export * from "./contract/paging";
export * from "./contract/presence";
export * from "./contract/rooms";
export * from "./contract/users";
export * from "./contract/ws-gateway";

/** Everything that crosses nodes: actions with what they take and give, a page for each service, and events. */
export interface Actions
  extends
    NodeActions,
    ApiGatewayActions,
    AuthActions,
    UsersActions,
    RoomsActions,
    MessagesActions,
    PresenceActions,
    WsGatewayActions,
    FilesActions {}

export interface Events {
  /** Control facts only: messages travel on the room bus. */
  "auth.revoked": { items: Revocation[] };
  /** What people may see of each other has changed, or may have. */
  "users.relations": { changes: RelationChange[] };
  "presence.changed": { owner: string; n: number; changes: PresenceChange[] };
}

/** Rides along the whole chain of calls. Doors set it, services read it. */
export interface Meta {
  user?: Identity;
  /** The client's address, as the door knows it. */
  address?: string;
  /** Of what concerns sessions: what the client calls itself, cut to 200 characters. */
  userAgent?: string;
  /** What the browser is known by that began a sign-in with others. */
  browser?: string;
  /** Status of a REST answer, where it differs from the route's. */
  $statusCode?: number;
  $responseHeaders?: Record<string, string>;
  $responseType?: string;
  [key: string]: unknown;
}

export type ActionName = keyof Actions;
export type ParamsOf<N extends ActionName> = Actions[N]["params"];
export type ReturnsOf<N extends ActionName> = Actions[N]["returns"];

/** A context inside a handler, a broker outside. */
export interface Caller {
  call(name: string, params?: unknown, options?: CallingOptions): Promise<unknown>;
}

export function call<N extends ActionName>(
  via: Caller,
  name: N,
  params: ParamsOf<N>,
  options?: CallingOptions,
): Promise<ReturnsOf<N>> {
  return via.call(name, params, options) as Promise<ReturnsOf<N>>;
}

export interface Broadcaster {
  broadcast(name: string, payload: unknown): Promise<unknown> | void;
}

/** Tells every node, this one included. Fire and forget: receivers must be able to find out what they missed. */
export function broadcast<N extends keyof Events>(via: Broadcaster, name: N, payload: Events[N]): void {
  void via.broadcast(name, payload);
}

type Handler<N extends ActionName> = (ctx: Context<ParamsOf<N>, Meta>) => ReturnsOf<N> | Promise<ReturnsOf<N>>;

/** Every action that the map promises for a service, with handlers of these types. */
export type ActionsOf<S extends string> = {
  [N in ActionName as N extends `${S}.${infer Name}` ? Name : never]: {
    handler: Handler<N>;
    /** Milliseconds, where the default of the node is too short. */
    timeout?: number;
  } & Omit<ActionSchema, "handler">;
};
