import type { MethodName } from "../../core/methods";
import type { QueryName, SchemaName } from "../schemas";

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/api`; `{name}` is a parameter. */
  readonly path: string;
  readonly to: RestAction | OwnPage | Export;
  readonly summary: string;
  readonly tag: Tag;
  /**
   * `none`: the Authorization header is not looked at. `user`: a token is required. `optional`: the action decides, but a
   * token that does not hold is refused. `either`: the action decides, and a token that does not hold counts as none.
   */
  readonly auth: "none" | "user" | "optional" | "either";
  /** Unless the action says otherwise. 204 has no body. */
  readonly status: 200 | 201 | 202 | 204 | 302;
  readonly query?: readonly QueryName[];
  /** Others made the query: what is not named there is passed over. */
  readonly lenient?: true;
  /** Knows the browser by its cookie. */
  readonly browser?: true;
  /** Schema of the JSON body. Without one the body, if any, must be an empty object. */
  readonly body?: SchemaName;
  /** Schema of the answer; absent for bytes and pages. */
  readonly answer?: SchemaName;
  /** 200 in place of 201: what was asked for is there already. */
  readonly repeat?: string;
  /** Counts against the limit of sign-ins. */
  readonly signIn?: true;
  /** Body and answer that are not JSON; `lines`: one JSON document a line. */
  readonly bytes?: "upload" | "download" | "lines";
  /** Path of what was made. */
  readonly location?: (answer: Made) => string | undefined;
}

/** Secrets neither come nor go over sockets, and whoever signs in or shows a password again is counted by another limit. */
export type RestAction =
  | MethodName
  | "auth.register"
  | "auth.guest"
  | "auth.login"
  | "auth.refresh"
  | "auth.verify"
  | "auth.resendVerification"
  | "auth.forgotPassword"
  | "auth.forgotUsername"
  | "auth.resetPassword"
  | "auth.changePassword"
  | "auth.changeUsername"
  | "auth.changeEmail"
  | "auth.confirmEmail"
  | "auth.cancelEmail"
  | "auth.deactivate"
  | "auth.invite"
  | "auth.beginTotp"
  | "auth.confirmTotp"
  | "auth.removeTotp"
  | "auth.renewRecoveryCodes"
  | "auth.createToken"
  | "auth.createBotToken"
  | "auth.exchangeToken"
  | "auth.introspect"
  | "auth.oidcProviders"
  | "auth.oidcStart"
  | "auth.oidcCallback"
  | "auth.oidcExchange"
  | "auth.oidcLink"
  | "auth.unlink"
  | "files.save"
  | "files.open";

/** What the gateway answers itself. */
export const OWN_PAGES = ["health", "config", "openapi", "asyncapi", "docs", "socket-docs", "docs-asset"] as const;
export type OwnPage = (typeof OWN_PAGES)[number];

/** What the gateway puts together from pages of several services. */
export const EXPORTS = ["room-export", "person-export", "audit-export"] as const;
export type Export = (typeof EXPORTS)[number];

export const TAGS = ["auth", "users", "channels", "conversations", "messages", "files", "audit", "service"] as const;
export type Tag = (typeof TAGS)[number];

export interface Made {
  id?: string;
  url?: string;
  user?: { id: string };
}

export const PAGING = ["page", "pageSize"] as const;
