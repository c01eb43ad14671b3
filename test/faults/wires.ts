import { EventSource } from "eventsource";
import type { Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { SignalrClient, type SignalrTransport, type SignalrVersion } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

/** Somebody who reads a room over one wire, and after every break asks for what follows the last message he had. */
export interface WireReader {
  readonly wire: string;
  /** Of the messages, in the order they came. */
  readonly seqs: readonly number[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Milliseconds between attempts to come back; often enough for a server that is away for a minute. */
const ATTEMPTS = Array.from({ length: 300 }, () => 300);
/** Milliseconds in which one who is connected again is let into the room. */
const BACK = 60_000;

const lastOf = (seqs: readonly number[]): number => seqs.at(-1) ?? 0;

export function signalrReader(
  url: string,
  { token }: Client,
  room: string,
  transport: SignalrTransport,
  version: SignalrVersion,
): WireReader {
  const seqs: number[] = [];
  const client = SignalrClient.made(url, token as string, { transport, version, reconnect: ATTEMPTS });
  let stopped = false;
  client.hub.on("ReceiveMessage", (_, message: Body) => void seqs.push(message.seq));
  const join = () =>
    eventually(
      "he is in the room",
      () =>
        stopped ||
        client.invoke("JoinChannel", room, lastOf(seqs)).then(Boolean, () => client.hub.state !== "Connected"),
      Boolean,
      BACK,
    );
  client.hub.onreconnected(() => void join().catch(() => undefined));
  return {
    wire: `SignalR ${version} over ${transport}`,
    seqs,
    async start() {
      await client.hub.start();
      await join();
    },
    stop() {
      stopped = true;
      return client.close();
    },
  };
}

export function socketioReader(url: string, { token }: Client, room: string, transports: string[]): WireReader {
  const seqs: number[] = [];
  let client: SocketioClient | null = null;
  return {
    wire: `Socket.IO over ${transports.join(", then ")}`,
    seqs,
    async start() {
      const { socket } = (client = await SocketioClient.open(url, token as string, {
        transports,
        reconnectionDelay: 200,
        reconnectionDelayMax: 500,
      }));
      socket.on("message", ({ message }: Body) => void seqs.push(message.seq));
      const join = () =>
        eventually(
          "he is in the room",
          () =>
            client === null ||
            client.ask("join", { channelId: room, afterSeq: lastOf(seqs) }).then(
              ({ ok }) => ok === true,
              () => !socket.connected,
            ),
          Boolean,
          BACK,
        );
      socket.on("connect", () => void join().catch(() => undefined));
      await join();
    },
    async stop() {
      client?.close();
      client = null;
    },
  };
}

/** Its clients know offsets: each event says its own. */
export function streamReader(url: string, { token }: Client, room: string): WireReader {
  const seqs: number[] = [];
  let offset = 0;
  let source: EventSource | null = null;
  let stopped = false;
  const open = (): void => {
    if (stopped) return;
    const next = new EventSource(`${url}/stream?rooms=${room}:${offset}`, {
      fetch: (address, init) =>
        fetch(address, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
    });
    next.onmessage = ({ data }) => {
      const frame = JSON.parse(data as string) as Body;
      if (frame.t !== "event") return;
      offset = frame.offset;
      if (frame.kind === "message") seqs.push(frame.data.seq);
    };
    // Where it was is in the address, so that each attempt is a new source.
    next.onerror = () => {
      next.close();
      setTimeout(open, 200);
    };
    source = next;
  };
  return {
    wire: "/stream",
    seqs,
    async start() {
      open();
      await eventually("the stream is open", () => source?.readyState === EventSource.OPEN);
    },
    async stop() {
      stopped = true;
      source?.close();
    },
  };
}

/** One of each kind. */
export const everyWire = (url: string, client: Client, room: string): WireReader[] => [
  signalrReader(url, client, room, "WebSockets", "10"),
  signalrReader(url, client, room, "WebSockets", "8"),
  signalrReader(url, client, room, "ServerSentEvents", "10"),
  signalrReader(url, client, room, "LongPolling", "8"),
  socketioReader(url, client, room, ["polling", "websocket"]),
  socketioReader(url, client, room, ["websocket"]),
  streamReader(url, client, room),
];
