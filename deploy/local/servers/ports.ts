import { connect, createServer } from "node:net";

/** Below the range that outgoing connections take theirs from: a server that was killed gets its port back. */
const FIRST = 10_500;
const COUNT = 9_000;
let next = Math.floor(Math.random() * COUNT);

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + (next++ % COUNT);
    if ((await refusal(port)) === null) return port;
  }
}

/** Rejects in one line if this process could not listen on the port of 127.0.0.1. */
export async function mustBeFree(port: number): Promise<void> {
  const code = await refusal(port);
  if (code === "EADDRINUSE") throw new Error(`port ${port} is taken by another process`);
  if (code !== null) throw new Error(`port ${port} cannot be listened on: ${code}`);
}

/** The code of the error that listening ends with; null if it works. */
function refusal(port: number): Promise<string | null> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(null)));
  });
}

/** Resolves with the first bytes that a server of 127.0.0.1 says by itself. */
export function greeting(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(1_000, () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed without a word")));
    socket.once("data", data => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
