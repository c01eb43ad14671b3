import type { ActionName } from "../core/contract";
import type { MethodName } from "../core/methods";
import type { QueryName, SchemaName } from "./schemas";

/**
 * Every route under `/api`, on one page: what the router answers, what the OpenAPI document describes and what the
 * router's whitelist holds all come from here.
 */
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
  readonly status: 200 | 201 | 204;
  readonly query?: readonly QueryName[];
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

export type RestAction = MethodName | "auth.register" | "auth.login" | "auth.refresh" | "files.save" | "files.open";

/** What the gateway answers itself. */
export const OWN_PAGES = ["health", "config", "openapi", "asyncapi", "docs", "socket-docs", "docs-asset"] as const;
export type OwnPage = (typeof OWN_PAGES)[number];

/** What the gateway puts together from pages of several services. */
export const EXPORTS = ["room-export", "person-export"] as const;
export type Export = (typeof EXPORTS)[number];

export const TAGS = ["auth", "users", "channels", "conversations", "messages", "files", "service"] as const;
type Tag = (typeof TAGS)[number];

interface Made {
  id?: string;
  url?: string;
  user?: { id: string };
}

const PAGING = ["page", "pageSize"] as const;

const auth: Route[] = [
  {
    method: "POST",
    path: "/auth/register",
    to: "auth.register",
    summary: "Make an account and sign in",
    tag: "auth",
    auth: "none",
    status: 201,
    body: "Register",
    answer: "SignedIn",
    signIn: true,
    location: ({ user }) => user && `/api/users/${user.id}`,
  },
  {
    method: "POST",
    path: "/auth/login",
    to: "auth.login",
    summary: "Sign in with user name or e-mail",
    tag: "auth",
    auth: "none",
    status: 200,
    body: "Login",
    answer: "SignedIn",
    signIn: true,
  },
  {
    method: "POST",
    path: "/auth/refresh",
    to: "auth.refresh",
    summary: "New tokens for a refresh token, which is used up",
    tag: "auth",
    auth: "none",
    status: 200,
    body: "Refresh",
    answer: "SignedIn",
  },
  {
    method: "POST",
    path: "/auth/logout",
    to: "auth.logout",
    summary: "End the session; needs one of its two tokens",
    tag: "auth",
    auth: "either",
    status: 204,
    body: "Logout",
  },
];

const users: Route[] = [
  {
    method: "GET",
    path: "/users/me",
    to: "users.me",
    summary: "Oneself",
    tag: "users",
    auth: "user",
    status: 200,
    answer: "User",
  },
  {
    method: "PATCH",
    path: "/users/me",
    to: "users.updateMe",
    summary: "Change one's own profile",
    tag: "users",
    auth: "user",
    status: 200,
    body: "UpdateProfile",
    answer: "User",
  },
  {
    method: "GET",
    path: "/users",
    to: "users.list",
    summary: "Users, or those whose name matches a search",
    tag: "users",
    auth: "user",
    status: 200,
    query: ["search", ...PAGING],
    answer: "UserPage",
  },
  {
    method: "GET",
    path: "/users/{id}",
    to: "users.get",
    summary: "One user",
    tag: "users",
    auth: "user",
    status: 200,
    answer: "User",
  },
  {
    method: "PATCH",
    path: "/users/{id}",
    to: "users.update",
    summary: "Change a user; administrators only",
    tag: "users",
    auth: "user",
    status: 200,
    body: "UpdateUser",
    answer: "User",
  },
  {
    method: "DELETE",
    path: "/users/{id}",
    to: "users.remove",
    summary: "Delete an account; oneself or administrators",
    tag: "users",
    auth: "user",
    status: 204,
  },
  {
    method: "GET",
    path: "/users/{id}/export",
    to: "person-export",
    summary: "All data of a person, a JSON document a line; oneself or administrators",
    tag: "users",
    auth: "user",
    status: 200,
    query: ["files"],
    bytes: "lines",
  },
];

const lists: Route[] = [
  {
    method: "GET",
    path: "/channels",
    to: "rooms.list",
    summary: "Public channels and one's own, oldest first",
    tag: "channels",
    auth: "user",
    status: 200,
    query: PAGING,
    answer: "ChannelPage",
  },
  {
    method: "POST",
    path: "/channels",
    to: "rooms.create",
    summary: "Make a channel",
    tag: "channels",
    auth: "user",
    status: 201,
    body: "CreateChannel",
    answer: "Channel",
    location: ({ id }) => id && `/api/channels/${id}`,
  },
  {
    method: "GET",
    path: "/conversations",
    to: "rooms.conversations",
    summary: "One's direct conversations and groups",
    tag: "conversations",
    auth: "user",
    status: 200,
    query: PAGING,
    answer: "ConversationPage",
  },
  {
    method: "POST",
    path: "/conversations",
    to: "rooms.converse",
    summary: "Start a group, or open the direct conversation with somebody",
    tag: "conversations",
    auth: "user",
    status: 201,
    body: "CreateConversation",
    answer: "Conversation",
    repeat: "The one direct conversation of the two.",
    location: ({ id }) => id && `/api/conversations/${id}`,
  },
];

/** What channels and conversations have in common. */
const room = (tag: "channels" | "conversations"): Route[] => {
  const path = `/${tag}/{id}`;
  const what = tag === "channels" ? "channel" : "conversation";
  const answer = tag === "channels" ? "Channel" : "Conversation";
  return [
    {
      method: "GET",
      path,
      to: "rooms.get",
      summary: `One ${what}`,
      tag,
      auth: "user",
      status: 200,
      answer,
    },
    {
      method: "GET",
      path: `${path}/open`,
      to: "messages.open",
      summary: "All that shows it: room, members, marks and a page of messages, and the offset to subscribe from",
      tag,
      auth: "user",
      status: 200,
      query: ["around", "limit"],
      answer: "OpenedRoom",
    },
    {
      method: "PATCH",
      path,
      to: "rooms.update",
      summary: `Change the settings of a ${what}`,
      tag,
      auth: "user",
      status: 200,
      body: "UpdateRoom",
      answer,
    },
    {
      method: "DELETE",
      path,
      to: "rooms.remove",
      summary: `Delete a ${what}`,
      tag,
      auth: "user",
      status: 204,
    },
    {
      method: "GET",
      path: `${path}/export`,
      to: "room-export",
      summary: "Members and all messages, a JSON document a line; owners and administrators",
      tag,
      auth: "user",
      status: 200,
      query: ["files"],
      bytes: "lines",
    },
    {
      method: "POST",
      path: `${path}/join`,
      to: "rooms.join",
      summary: "Become a member; repeating it changes nothing",
      tag,
      auth: "user",
      status: 204,
    },
    {
      method: "POST",
      path: `${path}/leave`,
      to: "rooms.leave",
      summary: "Stop being a member; repeating it changes nothing",
      tag,
      auth: "user",
      status: 204,
    },
    {
      method: "GET",
      path: `${path}/members`,
      to: "rooms.members",
      summary: `Members of a ${what}: pages, longest-standing first; a range in order of user id; or those whose names begin so`,
      tag,
      auth: "user",
      status: 200,
      query: [...PAGING, "afterUser", "prefix", "limit"],
      answer: "Members",
    },
    {
      method: "POST",
      path: `${path}/members`,
      to: "rooms.addMember",
      summary: "Add a member; owner and moderators",
      tag,
      auth: "user",
      status: 201,
      body: "AddMember",
      answer: "Member",
    },
    {
      method: "DELETE",
      path: `${path}/members/{userId}`,
      to: "rooms.removeMember",
      summary: "Remove a member; owner and moderators",
      tag,
      auth: "user",
      status: 204,
    },
    {
      method: "GET",
      path: `${path}/messages`,
      to: "messages.history",
      summary: "Messages: pages from the newest, or a window before, after or around a seq",
      tag: "messages",
      auth: "user",
      status: 200,
      query: [...PAGING, "before", "after", "around", "limit"],
      answer: "History",
    },
    {
      method: "POST",
      path: `${path}/messages`,
      to: "messages.send",
      summary: "Send a message; it is stored when this answers",
      tag: "messages",
      auth: "user",
      status: 201,
      body: "SendMessage",
      answer: "Message",
      repeat: "Sent before with this clientId: the message as it is now.",
      location: ({ id }) => id && `/api/messages/${id}`,
    },
    {
      method: "GET",
      path: `${path}/pins`,
      to: "messages.pins",
      summary: "Pinned messages, the last pinned first",
      tag: "messages",
      auth: "user",
      status: 200,
      answer: "MessageList",
    },
    {
      method: "GET",
      path: `${path}/threads`,
      to: "messages.threads",
      summary: "Threads, the last replied to first",
      tag: "messages",
      auth: "user",
      status: 200,
      query: PAGING,
      answer: "ThreadPage",
    },
    {
      method: "POST",
      path: `${path}/read`,
      to: "messages.read",
      summary: "Mark as read up to a seq, for oneself alone if one likes; ends what was marked unread",
      tag: "messages",
      auth: "user",
      status: 204,
      body: "ReadMark",
    },
    {
      method: "POST",
      path: `${path}/unread`,
      to: "messages.markUnread",
      summary: "Count as unread again from a message on, for oneself alone, until one reads or sends there",
      tag: "messages",
      auth: "user",
      status: 204,
      body: "UnreadMark",
    },
    {
      method: "POST",
      path: `${path}/delivered`,
      to: "messages.delivered",
      summary: "Mark as delivered up to a seq",
      tag: "messages",
      auth: "user",
      status: 204,
      body: "Mark",
    },
  ];
};

const messages: Route[] = [
  {
    method: "GET",
    path: "/messages/{id}",
    to: "messages.get",
    summary: "One message",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Message",
  },
  {
    method: "PATCH",
    path: "/messages/{id}",
    to: "messages.edit",
    summary: "Change the text of one's own message",
    tag: "messages",
    auth: "user",
    status: 200,
    body: "EditMessage",
    answer: "Message",
  },
  {
    method: "DELETE",
    path: "/messages/{id}",
    to: "messages.remove",
    summary: "Delete a message; a tombstone stays",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Message",
  },
  {
    method: "PUT",
    path: "/messages/{id}/reactions/{emoji}",
    to: "messages.react",
    summary: "React",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Message",
  },
  {
    method: "DELETE",
    path: "/messages/{id}/reactions/{emoji}",
    to: "messages.unreact",
    summary: "Take a reaction back",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Message",
  },
  {
    method: "PUT",
    path: "/messages/{id}/pin",
    to: "messages.pin",
    summary: "Pin a message; in a channel those who run it do",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Message",
  },
  {
    method: "DELETE",
    path: "/messages/{id}/pin",
    to: "messages.unpin",
    summary: "Pin a message no more",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Message",
  },
  {
    method: "GET",
    path: "/messages/{id}/versions",
    to: "messages.versions",
    summary: "What a message said before it was edited; for its sender, those who may delete it, and administrators",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "Versions",
  },
  {
    method: "PUT",
    path: "/messages/{id}/hidden",
    to: "messages.hide",
    summary: "Delete a message for oneself alone, on all one's devices",
    tag: "messages",
    auth: "user",
    status: 204,
  },
  {
    method: "GET",
    path: "/messages/{id}/replies",
    to: "messages.replies",
    summary:
      "Replies in the thread that began with a message, or that it is a reply in: the newest, or those before or after a seq",
    tag: "messages",
    auth: "user",
    status: 200,
    query: ["before", "after", "limit"],
    answer: "HistoryWindow",
  },
  {
    method: "POST",
    path: "/messages/{id}/replies/read",
    to: "messages.readThread",
    summary: "Mark a thread as read up to a seq",
    tag: "messages",
    auth: "user",
    status: 204,
    body: "Mark",
  },
  {
    method: "GET",
    path: "/messages/{id}/receipts",
    to: "messages.receipts",
    summary: "How far a message got with each member but the sender who was there when it was sent",
    tag: "messages",
    auth: "user",
    status: 200,
    query: PAGING,
    answer: "Receipts",
  },
  {
    method: "GET",
    path: "/unread",
    to: "messages.unread",
    summary: "Unread messages and mentions of every room of one's own",
    tag: "messages",
    auth: "user",
    status: 200,
    answer: "UnreadList",
  },
  {
    method: "POST",
    path: "/read",
    to: "messages.readAll",
    summary: "Mark every room as read, and the threads one follows there",
    tag: "messages",
    auth: "user",
    status: 204,
    body: "ReadAll",
  },
  {
    method: "GET",
    path: "/rooms",
    to: "messages.overview",
    summary: "One's rooms, newest activity first, each with its last message, unread messages and mentions; 500 a page",
    tag: "messages",
    auth: "user",
    status: 200,
    query: PAGING,
    answer: "RoomList",
  },
];

const files: Route[] = [
  {
    method: "POST",
    path: "/files",
    to: "files.save",
    summary: "Upload a file: a multipart part `file`, or the bytes as body",
    tag: "files",
    auth: "user",
    status: 201,
    query: ["name"],
    answer: "File",
    bytes: "upload",
    location: ({ url }) => url,
  },
  {
    method: "GET",
    path: "/files/{id}",
    to: "files.open",
    summary: "The bytes of a file, with a token or a signed link",
    tag: "files",
    auth: "optional",
    status: 200,
    query: ["expires", "signature"],
    bytes: "download",
  },
  {
    method: "GET",
    path: "/files/{id}/link",
    to: "files.link",
    summary: "A link that opens the file for a short time without a token",
    tag: "files",
    auth: "user",
    status: 200,
    answer: "FileLink",
  },
];

const service: Route[] = [
  {
    method: "GET",
    path: "/health",
    to: "health",
    summary: "Whether every needed part is there",
    tag: "service",
    auth: "none",
    status: 200,
    answer: "Health",
  },
  {
    method: "GET",
    path: "/config",
    to: "config",
    summary: "Limits and paths a client needs to know",
    tag: "service",
    auth: "none",
    status: 200,
    answer: "Config",
  },
  {
    method: "GET",
    path: "/openapi.json",
    to: "openapi",
    summary: "This document",
    tag: "service",
    auth: "none",
    status: 200,
  },
  {
    method: "GET",
    path: "/asyncapi.json",
    to: "asyncapi",
    summary: "The sockets: every frame, call and event",
    tag: "service",
    auth: "none",
    status: 200,
  },
  {
    method: "GET",
    path: "/docs",
    to: "docs",
    summary: "This document, to read and try",
    tag: "service",
    auth: "none",
    status: 200,
  },
  {
    method: "GET",
    path: "/docs/sockets",
    to: "socket-docs",
    summary: "The sockets, to read",
    tag: "service",
    auth: "none",
    status: 200,
  },
  {
    method: "GET",
    path: "/docs/{file}",
    to: "docs-asset",
    summary: "Parts of the page",
    tag: "service",
    auth: "none",
    status: 200,
  },
];

export const ROUTES: readonly Route[] = [
  ...auth,
  ...users,
  ...lists,
  ...room("channels"),
  ...room("conversations"),
  ...messages,
  ...files,
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
