import type { ProtocolName } from "./protocols";

/** A process of the server side, whose CPU and memory are counted under its role. */
export interface Watched {
  role: string;
  pid: number;
  /** With all processes below it: a database that forks a process for every session. */
  tree?: boolean;
  /** Its threads are counted one by one, too. */
  threads?: boolean;
}

/** Who connects where. Connection `i` is in the rooms `i * roomsEach + 0 ... roomsEach - 1`, modulo all rooms. */
export interface Crowd {
  protocol: ProtocolName;
  /** Of 127.0.0.1; connections take them in turn. */
  ports: readonly number[];
  connections: number;
  rooms: number;
  roomsEach: number;
  /** File that the seed has made, for a subject that knows its users; and which group of its rooms. */
  ground?: string;
  group?: string;
  /** Of the ground's users only the first so many connect, each from several devices. */
  users?: number;
  /** Connections that are being opened at a time. */
  opening?: number;
  watched: readonly Watched[];
}

/** Senders keep so many messages under way each (closed loop), or send at a rate whatever comes back (open loop). */
export interface FanOutOrder extends Crowd {
  kind: "fan-out";
  senders: number;
  window: number;
  /** Sends a second of all senders together; absent: closed loop. */
  rate?: number;
  /** Bytes of a message's text. */
  textBytes: number;
  /** Seconds before counting begins, and for which is counted. */
  warm: number;
  seconds: number;
}

/** Connections are opened and then stay idle. */
export interface JoinOrder extends Crowd {
  kind: "join";
  /** Connections that come and go before, so that the server has run what it will run. */
  warmUp: number;
  /** Seconds for which the idle ones are watched. */
  seconds: number;
}

/** Requests over keep-alive HTTP, one under way on each connection. */
export interface HttpOrder {
  kind: "http";
  port: number;
  connections: number;
  method: "GET" | "POST";
  /** Of the connections in turn, as are the tokens. */
  paths: readonly string[];
  tokens: readonly string[];
  /** Of a POST: the text that is sent, with a clientId of its own each time. */
  text?: string;
  status: number;
  warm: number;
  seconds: number;
  watched: readonly Watched[];
}

export type Order = FanOutOrder | JoinOrder | HttpOrder;

/** By role. */
export type ByRole = Record<string, number>;

export interface Measured {
  /** Of counting, and where it began and ended on the machine's monotonic clock, in microseconds. */
  seconds: number;
  from: number;
  to: number;
  /** CPU seconds by role within that time, and of the generator itself. */
  cpu: ByRole;
  generatorCpu: number;
  threads: Thread[];
}

export interface Thread {
  pid: number;
  tid: number;
  name: string;
  /** CPU seconds. */
  cpu: number;
}

export interface FanOutReport extends Measured {
  deliveries: number;
  sends: number;
  /** Milliseconds from send to delivery. */
  p50: number | null;
  p99: number | null;
  /** Bytes of a delivered event, and events in a frame, on the average. */
  eventBytes: number;
  eventsPerFrame: number;
  /** Sends that were refused. */
  refused: number;
  /** Of the frames looked into, events that were no delivery of ours. */
  strange: number;
  /** Sockets that ended meanwhile, by close code; 1006 without one. */
  closed: ByRole;
}

export interface JoinReport extends Measured {
  joins: number;
  /** Times that a connection was told to come again later, and did. */
  busy: number;
  /** Milliseconds from the connect to having joined every room. */
  p50: number | null;
  p99: number | null;
  /** Bytes of memory by role, before the first connection and when all were idle. */
  memoryBefore: ByRole;
  memoryAfter: ByRole;
  /** CPU seconds by role of `idleSeconds` in which nothing was said. */
  idleCpu: ByRole;
  idleSeconds: number;
  closed: ByRole;
}

export interface HttpReport extends Measured {
  requests: number;
  p50: number | null;
  p99: number | null;
  /** Bytes of an answer's body, on the average. */
  bodyBytes: number;
  /** Answers with another status than was expected. */
  refused: number;
}

export type ReportOf<O extends Order> = O extends FanOutOrder
  ? FanOutReport
  : O extends JoinOrder
    ? JoinReport
    : HttpReport;
