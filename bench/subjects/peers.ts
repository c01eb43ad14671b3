import { existsSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../../deploy/local/servers/cache";
import { Child } from "../../deploy/local/servers/child";
import { freePort } from "../../deploy/local/servers/ports";
import type { Watched } from "../load/order";
import type { ProtocolName } from "../load/protocols";
import { onEnd } from "../support/undo";
import { isListening } from "../support/ports";
import type { Subject } from "./subject";

/** A program that others have made, or a library alone, to compare with. */
export interface Peer {
  name: string;
  /** Why it cannot be measured; undefined if it can. */
  missing?: string;
  start(): Promise<Subject>;
}

interface PeerSpec {
  name: string;
  protocol: ProtocolName;
  textBytes: number;
  missing?: string;
  /** Starts its processes on a port and gives them by role. */
  launch(port: number): Promise<Record<string, Child>>;
}

/** Publications a channel that Centrifuge keeps for who was away. */
const HISTORY = 1_000;
/** Bytes of a text with which an event of this peer is as long as one of ours. */
const RAW_TEXT = 420;
const CENTRIFUGE_TEXT = 344;

const installed = (name: string): string | undefined => {
  const path = join(CACHE, "bin", name);
  return existsSync(path) ? path : undefined;
};
const CENTRIFUGE = installed("centrifuge-peer");
const REDIS = installed("redis-server");
const SOCKETIO = join(CACHE, "socketio", "node_modules", "socket.io");
const SIGNALR = installed("signalr-peer");
const notInstalled = "not installed: bash bench/peers/install.sh";

const isThere = (module: string): boolean => {
  try {
    require.resolve(module);
    return true;
  } catch {
    return false;
  }
};

function script(name: string, port: number, ...more: string[]): Child {
  const file = join(__dirname, "..", "peers", `${name}.ts`);
  return Child.start(name, process.execPath, ["--import", "tsx", file, String(port), ...more], { env: process.env });
}

async function redis(): Promise<{ server: Child; address: string }> {
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const server = Child.start("redis", REDIS as string, options);
  onEnd(() => server.stop());
  await server.answers(() => isListening(port));
  return { server, address: `127.0.0.1:${port}` };
}

function centrifuge(port: number, more: string[] = []): Child {
  const options = ["-port", String(port), "-history", String(HISTORY), ...more];
  return Child.start("centrifuge", CENTRIFUGE as string, options);
}

const specs: PeerSpec[] = [
  {
    name: "raw uWS, stores nothing",
    protocol: "raw",
    textBytes: RAW_TEXT,
    missing: isThere("uWebSockets.js") || isThere("uws-pack") ? undefined : "no native library",
    launch: async port => ({ server: script("raw-uws", port) }),
  },
  {
    name: "Centrifuge, memory",
    protocol: "centrifuge",
    textBytes: CENTRIFUGE_TEXT,
    missing: CENTRIFUGE ? undefined : notInstalled,
    launch: async port => ({ server: centrifuge(port) }),
  },
  {
    name: "Centrifuge over Redis",
    protocol: "centrifuge",
    textBytes: CENTRIFUGE_TEXT,
    missing: CENTRIFUGE && REDIS ? undefined : notInstalled,
    async launch(port) {
      const { server, address } = await redis();
      return { server: centrifuge(port, ["-redis", address]), redis: server };
    },
  },
  {
    name: "ws",
    protocol: "raw",
    textBytes: RAW_TEXT,
    launch: async port => ({ server: script("ws", port) }),
  },
  {
    name: "Socket.IO",
    protocol: "socketio",
    textBytes: 345,
    missing: existsSync(SOCKETIO) ? undefined : notInstalled,
    launch: async port => ({ server: script("socketio", port, SOCKETIO) }),
  },
  {
    name: "SignalR",
    protocol: "signalr",
    textBytes: 300,
    // A hub with the words of load/protocols/signalr.ts; it needs .NET, so nobody builds it here.
    missing: SIGNALR ? undefined : "no signalr-peer among the installed programs",
    launch: async port => ({
      server: Child.start("signalr", SIGNALR as string, ["--urls", `http://127.0.0.1:${port}`], { env: process.env }),
    }),
  },
];

export const RAW = 0;
export const CENTRIFUGE_MEMORY = 1;
export const CENTRIFUGE_REDIS = 2;

/** In the order of the table. */
export const peers: Peer[] = specs.map(spec => ({ ...spec, start: () => startPeer(spec) }));

async function startPeer({ name, protocol, textBytes, launch }: PeerSpec): Promise<Subject> {
  const port = await freePort();
  const children = await launch(port);
  for (const child of Object.values(children)) onEnd(() => child.stop());
  await (children.server as Child).answers(() => isListening(port));
  return {
    ...{ name, protocol, textBytes },
    ports: [port],
    idleRooms: 1,
    watched: () => Object.entries(children).map(([role, { pid }]): Watched => ({ role, pid })),
    async stop() {
      for (const child of Object.values(children)) await child.stop("SIGTERM", 5_000);
    },
  };
}
