import { Connection } from "mongodb/lib/cmap/connection";

/**
 * A connection whose end reaches whoever is sending. The driver (7.8) waits for room in the socket's buffers by `drain` or
 * `error`; a socket that it destroys itself, after a timeout, or that the other side closes emits neither, so the command
 * waits for ever and its place in the pool is never given back. After as many as the pool has places, a process that can
 * reach the store again reads and writes nothing.
 */
export class DriverConnection extends Connection {
  override cleanup(error: Error): void {
    const ends = !this.closed;
    super.cleanup(error);
    if (ends) this.socket.emit("error", error);
  }
}
