import type { Socket } from "node:net";
import { ProtocolHandler } from "nats/lib/nats-base-client/protocol";

/** What is touched of the client's insides, of nats.js 2.29. */
interface Transport {
  /** Its end is told to nobody any more. */
  done: boolean;
  socket?: Socket;
  setupHandlers(): void;
}

interface Dialling {
  transport?: Transport;
  prepare(): unknown;
  disconnect(): void;
}

/**
 * Nats.js leaves a dial alone that has had no answer in time. When its server ends it later, the client takes that for the
 * loss of the connection it has by now and dials again beside it: from then on every message comes twice, after the next
 * such moment three times. Here a new dial ends whatever was before it. Loading this file is enough, for all connections.
 */
const dialling = ProtocolHandler.prototype as unknown as Dialling;
const { prepare, disconnect } = dialling;
dialling.prepare = function (this: Dialling) {
  if (this.transport) leave(this.transport);
  return prepare.call(this);
};

/**
 * A connection that is given up for its silence is first flushed, which a peer that reads nothing never lets end: there would
 * be no new dial until the kernel gives up, a quarter of an hour later.
 */
dialling.disconnect = function (this: Dialling) {
  disconnect.call(this);
  this.transport?.socket?.destroy();
};

function leave(transport: Transport): void {
  transport.done = true;
  transport.socket?.destroy();
  // It may get its socket, or its answer, only now.
  transport.setupHandlers = () => transport.socket?.destroy();
}
