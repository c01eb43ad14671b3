import { Agent, request, type ClientRequest, type IncomingMessage, type Server } from "node:http";
import { duplexPair, type Duplex } from "node:stream";
import { recordClientAddress } from "../core/client-address";

/** HTTP to a server of this process over pairs of in-memory streams: real Node connections, no TCP, no port. */

/** The server's end of a pair to the address of the client whose request is on it. One request at a time is. */
const clients = new WeakMap<object, string>();
/** The caller's end to the server's end. */
const ends = new WeakMap<object, Duplex>();
const agents = new WeakMap<Server, MemoryAgent>();

class MemoryAgent extends Agent {
  readonly #server: Server;

  constructor(server: Server) {
    super({ keepAlive: true, scheduling: "lifo", maxFreeSockets: 64 });
    this.#server = server;
    // First in line, so that every other listener finds the address.
    server.prependListener("request", (req: IncomingMessage) => {
      const address = clients.get(req.socket);
      if (address !== undefined) recordClientAddress(req, address);
    });
  }

  override createConnection(): Duplex {
    const [near, far] = duplexPair();
    // Asked of a free socket that is used again; a pair never keeps the process alive.
    Object.assign(near, { ref: () => near });
    ends.set(near, far);
    clients.set(far, "");
    // A pair passes on the end of its streams, not their destruction.
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
    // The server's own error listener comes and goes with its parser.
    far.on("error", () => undefined);
    this.#server.emit("connection", far);
    return near;
  }

  // The default sets TCP options, which a pair has not.
  override keepSocketAlive(): boolean {
    return true;
  }
}

/**
 * Opens a request to `server`; the caller writes the body and ends it.
 * @param headers flat list of names and values; must frame the body (Content-Length or Transfer-Encoding), if there is one
 * @param address the client's, for `clientAddress(req)` on the server's side
 * @throws TypeError if method, path or a header holds a character HTTP has no room for
 */
export function memoryRequest(
  server: Server,
  method: string,
  path: string,
  headers: string[],
  address: string,
): ClientRequest {
  let agent = agents.get(server);
  if (agent === undefined) agents.set(server, (agent = new MemoryAgent(server)));
  const outgoing = request({ agent, method, path, headers, setHost: false });
  // Emitted before the first byte is written.
  outgoing.once("socket", near => {
    const far = ends.get(near);
    if (far !== undefined) clients.set(far, address);
  });
  return outgoing;
}
