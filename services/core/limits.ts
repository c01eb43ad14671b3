/** Every bound a client can meet, on one page, with its default. Configuration may change each (`LIMIT_TEXT=...`). */
export const LIMITS = {
  /** Characters of a message's text. */
  text: 4_000,
  /** Bytes of a message's metadata as JSON. */
  metadata: 2_048,
  /** Attachments of a message. */
  attachments: 10,
  /** Bytes of a frame and of a JSON body. */
  frame: 65_536,
  /** Bytes of a file. */
  file: 25 * 1024 * 1024,
  /** Rooms in one hello or sub, and of one socket. */
  rooms: 500,
  /** Items of a page at most, and when nothing is said. */
  page: 100,
  pageDefault: 50,
  /** Users in one watch. */
  watch: 500,
  /** Different emoji on one message. */
  emoji: 50,
  /** Pinned messages of a room. */
  pins: 100,
  /** Messages back from the last that one may mark as unread: they are looked through for one's own at every count. */
  markUnread: 5_000,
  /** Members named when a group is made. */
  group: 100,
  /** Members of a group, who are all told of each other; more belong into a channel. */
  groupMembers: 1_000,
  /** Members above which a room is large: who reads it passively gets bumps, and receipts and typing are silent. */
  largeRoom: 1_000,
  /** Friends of one user, requests of his that nobody has answered, and people he blocks. */
  friends: 5_000,
  friendRequests: 100,
  /** People whom one user asks to be friends in an hour. */
  friendRequestsPerHour: 30,
  blocks: 1_000,
  /** Sign-ins and registrations a minute and address. */
  signInsPerMinute: 30,
  /** REST requests a minute and user (address, without a token). */
  requestsPerMinute: 1_200,
  /** Messages over all doors, a second and user, and what may be sent at once. */
  sendsPerSecond: 10,
  sendBurst: 60,
  /** Frames of one socket that are not sends, a second, and at once. */
  framesPerSecond: 100,
  frameBurst: 1_000,
  /** The same of whatever a socket says; who says more is closed. */
  floodPerSecond: 500,
  floodBurst: 5_000,
  /** Open sockets of one user, one address, and one gateway. */
  socketsPerUser: 100,
  socketsPerAddress: 20_000,
  sockets: 100_000,
  /** Sockets of one address that have not said hello. */
  strangersPerAddress: 1_000,
  /** Hellos that one gateway answers at a time; who comes beyond them is told when to come back. */
  hellos: 2_000,
  /** MiB that wait in one gateway for clients who read slowly: beyond it the slowest are closed. */
  waiting: 256,
  /** MiB of a process beyond which its gateway takes no more sockets. */
  memory: 4_096,
} as const;

/** Days at most that may be said for keeping messages; who wants longer says for ever. */
export const MAX_RETENTION_DAYS = 3_650;

export type LimitName = keyof typeof LIMITS;
export type Limits = { readonly [K in LimitName]: number };

/** Bounds between our own parts. Not for clients, so not configuration. */
export const INTERNAL = {
  appendEntries: 256,
  /** Bytes of text in one append. */
  appendBytes: 256 * 1024,
  /** Calls that a call to a writer names to begin before it. */
  callsBefore: 256,
  /** Entries and bytes of a room that are replayed on resume; beyond either it is a reset. */
  replayEntries: 1_000,
  replayBytes: 1024 * 1024,
  /** Entries of a user's own feed that are kept at least; the oldest leave it. Not fewer than are replayed. */
  userFeed: 1_000,
} as const;

export interface Rate {
  /** What may be spent at once. */
  burst: number;
  /** Refill a second. */
  perSecond: number;
}

/** How limits are applied: `on` refuses, `count` evaluates and meters but refuses nobody, `off` does neither. */
export type RateLimitMode = "on" | "count" | "off";
