import { createRequire } from "node:module";

/** The native module: what we use of it, in the spelling of every build we know, and how it is found. */

export type Text = string | ArrayBuffer | Uint8Array;

type EachHeader = (name: string, value: string) => void;

export interface NativeSocket {
  send(message: Text, isBinary: boolean, compress: boolean): number;
  getBufferedAmount(): number;
  end(code: number, reason: string): void;
  close(): void;
  subscribe(topic: string): boolean;
  unsubscribe(topic: string): boolean;
  cork(write: () => void): unknown;
  getUserData(): unknown;
}

export interface NativeRequest {
  getHeader(lowerCaseName: string): string;
  getUrl(): string;
  getQuery(): string | undefined;
  getCaseSensitiveMethod(): string;
  forEach?(each: EachHeader): void;
  forEachHeader?(each: EachHeader): void;
}

export interface NativeResponse {
  writeStatus(status: string): NativeResponse;
  writeHeader(name: string, value: Text): NativeResponse;
  /** False once bytes wait in user space; they are taken all the same. */
  write(chunk: Text): boolean;
  end(body: Text, closeConnection: boolean): NativeResponse;
  endWithoutBody(length?: number, closeConnection?: boolean): NativeResponse;
  /** Takes what fits: [all of the chunk taken, response complete]. */
  tryEnd(chunk: Text, totalSize: number): [boolean, boolean];
  getWriteOffset(): number;
  onWritable(handler: (offset: number) => boolean): NativeResponse;
  onAborted(handler: () => void): NativeResponse;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): NativeResponse;
  pause(): void;
  resume(): void;
  close(): unknown;
  cork(write: () => void): unknown;
  getRemoteAddress(): ArrayBuffer;
  upgrade(data: unknown, key: string, protocol: string, extensions: string, context: unknown): void;
}

export interface NativeBehavior {
  maxPayloadLength: number;
  maxBackpressure: number;
  closeOnBackpressureLimit: boolean;
  idleTimeout: number;
  maxLifetime: number;
  sendPingsAutomatically: boolean;
  compression: number;
  upgrade(res: NativeResponse, req: NativeRequest, context: unknown): void;
  open(ws: NativeSocket): void;
  message(ws: NativeSocket, message: ArrayBuffer, isBinary: boolean): void;
  drain(ws: NativeSocket): void;
  close(ws: NativeSocket, code: number, reason: ArrayBuffer): void;
}

export interface NativeApp {
  ws(pattern: string, behavior: NativeBehavior): NativeApp;
  any(pattern: string, handler: (res: NativeResponse, req: NativeRequest) => void): NativeApp;
  listen(host: string, port: number, options: number, done: (listener: unknown) => void): NativeApp;
  publish(topic: string, message: Text, isBinary: boolean, compress: boolean): boolean;
  numSubscribers(topic: string): number;
}

export interface Native {
  App(): NativeApp;
  closeListener(listener: unknown): void;
  portOf(listener: unknown): number;
}

/** Names differ: the first of each pair is the official build's. */
function adapt(module: unknown): Native {
  if (typeof module !== "object" || module === null) throw new TypeError("not a module");
  const exported = module as Record<string, unknown>;
  const pick = (...names: string[]): ((...args: unknown[]) => unknown) => {
    const found = names.map(name => exported[name]).find(value => typeof value === "function");
    if (found === undefined) throw new TypeError(`no ${names[0]}`);
    return found as (...args: unknown[]) => unknown;
  };
  const close = pick("us_listen_socket_close", "closeSocket");
  const port = pick("us_socket_local_port", "getSocketPort");
  const App = pick("App");
  return { App: () => App() as NativeApp, closeListener: close, portOf: listener => Number(port(listener)) };
}

/** Calls `each` for every header, names in lower case. */
export function eachHeader(req: NativeRequest, each: EachHeader): void {
  if (req.forEach === undefined) req.forEachHeader?.(each);
  else req.forEach(each);
}

const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "";

/** The module, or why there is none. */
export async function loadNative(): Promise<Native | string> {
  // Read once, when the library loads: header bytes it gathers over several packets. Node's own limit is the same.
  process.env["UWS_HTTP_MAX_HEADERS_SIZE"] ??= "16384";
  const failures: string[] = [];
  const attempts: [string, () => unknown][] = [
    ["uWebSockets.js", () => createRequire(__filename)("uWebSockets.js")],
    // A variable, as the package is optional and holds ES modules only.
    ["uws-pack", async () => unwrap(await import("uws-pack" as string))],
  ];
  for (const [name, load] of attempts) {
    try {
      return adapt(await load());
    } catch (error) {
      failures.push(`${name}: ${firstLine(error)}`);
    }
  }
  return `no native binary for Node ${process.versions.node} on ${process.platform} ${process.arch} (${failures.join("; ")})`;
}

function unwrap(module: unknown): unknown {
  const named = module as { App?: unknown; default?: unknown };
  return named.App === undefined ? named.default : module;
}
