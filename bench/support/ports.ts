import { connect } from "node:net";

/** Resolves if somebody listens on the port of 127.0.0.1. */
export function isListening(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
      .once("connect", () => {
        socket.destroy();
        resolve();
      })
      .once("error", reject);
  });
}
