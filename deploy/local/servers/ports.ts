import { connect, createServer } from "node:net";

/** Below the range that outgoing connections take theirs from: a server that was killed gets its port back. */
const FIRST = 10_500;
const COUNT = 9_000;
let next = Math.floor(Math.random() * COUNT);

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + (next++ % COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Resolves with the first bytes a server says by itself, or with "" once it took the connection if it is not to speak first. */
export function greeting(port: number, { speaks }: { speaks: boolean }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const done = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(1_000, () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed without a word")));
    if (speaks) socket.once("data", data => done(data.toString()));
    else socket.once("connect", () => done(""));
  });
}
