/** What frames are about: made before the first of them. */
export interface Scene {
  port: number;
  /** Of who sends what is mutated. */
  people: readonly { id: string; token: string }[];
  /** That they are in. */
  rooms: readonly string[];
  /** In these rooms. */
  messages: readonly string[];
  /** A room that none of them may know of. */
  foreign: string;
}

export interface Speaker {
  scene: Scene;
  token: string;
  user: string;
  room: string;
  message: string;
}

export const WIRES = [
  "native",
  "signalr",
  "socketio",
  "rfc6455",
  "upgrade",
  "stream",
  "polling-signalr",
  "polling-socketio",
] as const;
export type Wire = (typeof WIRES)[number];

const END = "\x1e";

/** Valid frames of the native wire, of every type but those that would end the sender's session. */
export function nativeFrames({ scene, token, user, room, message }: Speaker): string[] {
  const call = (method: string, params: object): object => ({ t: "call", method, params });
  return [
    { t: "ping" },
    { t: "sub", rooms: [room, scene.foreign], from: { [room]: 3 }, mode: "active" },
    { t: "sub", rooms: [...scene.rooms], from: Object.fromEntries(scene.rooms.map(one => [one, null])) },
    { t: "unsub", rooms: [room] },
    { t: "send", room, clientId: "c-1", text: "hello", metadata: { a: [1, { b: null }] }, replyTo: message },
    { t: "send", room, text: "@ann hello", attachments: ["x", { id: "y" }] },
    { t: "send", room: scene.foreign, text: "never" },
    { t: "history", room, before: 9, limit: 20 },
    { t: "history", room, around: 2, limit: 5 },
    { t: "edit", room, id: message, text: "edited" },
    { t: "delete", room, id: message },
    { t: "react", room, id: message, emoji: "+1", on: true },
    { t: "read", room, seq: 2 },
    { t: "delivered", room, seq: 2 },
    { t: "typing", room, on: true },
    { t: "watch", users: [user, ...scene.people.map(({ id }) => id)] },
    { t: "auth", token },
    { t: "hello", token, rooms: { [room]: 1, [scene.foreign]: null }, epoch: "e", n: 1 },
    call("users.list", { limit: 10, search: "a" }),
    call("users.get", { id: user }),
    call("rooms.get", { id: room }),
    call("rooms.get", { id: scene.foreign }),
    call("rooms.members", { id: room, limit: 5 }),
    call("rooms.conversations", { limit: 5 }),
    call("messages.send", { room, text: "called", clientId: "c-2", metadata: { a: 1 } }),
    call("messages.history", { room, after: 0, limit: 5 }),
    call("messages.receipts", { room }),
    call("messages.unread", {}),
    call("messages.markUnread", { id: room, seq: 1 }),
    call("messages.readAll", {}),
    call("messages.overview", {}),
    call("messages.open", { id: room }),
    call("files.link", { id: message }),
  ].map((frame, n) => JSON.stringify({ ...frame, i: n + 1 }));
}

/** Of the nine calls by name. */
const calls = ({ room, message }: Speaker): Record<string, [hub: string, args: unknown[], fields: object]> => ({
  join: ["JoinChannel", [room, 1], { channelId: room, afterSeq: 1 }],
  leave: ["LeaveChannel", [room], { channelId: room }],
  message: ["SendMessage", [room, { text: "x", metadata: { a: 1 } }], { channelId: room, text: "x", clientId: "c" }],
  typing: ["Typing", [room, true], { channelId: room, isTyping: true }],
  edit: ["EditMessage", [message, "edited"], { id: message, text: "edited" }],
  delete: ["DeleteMessage", [message], { id: message }],
  react: ["React", [message, "+1", true], { id: message, emoji: "+1", on: true }],
  read: ["MarkRead", [room, 1], { channelId: room, seq: 1 }],
  delivered: ["MarkDelivered", [room, 1], { channelId: room, seq: 1 }],
});

export function signalrRecords(speaker: Speaker): string[] {
  const invocations = Object.values(calls(speaker)).map(([target, args], n) => ({
    type: 1,
    invocationId: String(n),
    target,
    arguments: args,
  }));
  const others = [
    { type: 6 },
    { type: 3, invocationId: "1", result: null },
    { type: 4, invocationId: "9", target: "Counter", arguments: [1] },
    { type: 5, invocationId: "9" },
    { type: 1, target: "SendMessage", arguments: [speaker.scene.foreign, "never"] },
  ];
  return [...invocations, ...others].map(record => JSON.stringify(record) + END);
}

export function socketioPackets(speaker: Speaker): string[] {
  const events = Object.entries(calls(speaker)).map(
    ([event, [, , fields]], n) => `42${n}${JSON.stringify([event, fields])}`,
  );
  const { scene, token } = speaker;
  return [
    ...events,
    `42${JSON.stringify(["join", speaker.room])}`,
    `421${JSON.stringify(["message", { channelId: scene.foreign, text: "never" }])}`,
    `40${JSON.stringify({ token })}`,
    `40/other,${JSON.stringify({ token })}`,
    `431${JSON.stringify([{ ok: true }])}`,
  ];
}

export const HANDSHAKE = `{"protocol":"json","version":1}${END}`;
export const connectPacket = (token: string): string => `40${JSON.stringify({ token })}`;
export const helloFrame = ({ token, room }: Speaker): string =>
  JSON.stringify({ t: "hello", i: 0, token, rooms: { [room]: null } });

/** Where a WebSocket of the wire is opened. */
export const pathOf = (wire: Wire, { token }: Speaker): string =>
  wire === "signalr"
    ? `/hubs/chat?access_token=${token}`
    : wire === "socketio"
      ? "/socket.io/?EIO=4&transport=websocket"
      : "/ws";
