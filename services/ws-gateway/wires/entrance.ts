import type { HttpPut, HttpSession, HttpTaken } from "../../core/contract";
import { Cors } from "../../core/cors";
import type { Gateway } from "../gateway";
import { Doors } from "./doors";
import { httpServer } from "./http/http-door";
import { HttpSessions, type HttpSessionsDependencies } from "./http/http-sessions";
import { signalrDoor } from "./signalr/signalr.door";
import type { SignalrSettings } from "./signalr/signalr.wire";
import { socketioDoor } from "./socketio/socketio.door";
import { streamDoor } from "./stream/stream.door";
import type { Topics } from "./topics";

export interface EntranceDependencies extends Pick<HttpSessionsDependencies, "nodeID" | "now" | "remote"> {
  gateway: Gateway;
  topics: Topics;
  allowedOrigins: readonly string[];
  signalr: SignalrSettings;
  /** Bytes of a frame, and of a body. */
  longest: number;
}

/** Headers that the libraries of other wires send. */
const HEADERS = ["X-Requested-With", "X-SignalR-User-Agent", "Cache-Control"];

/** All wires put together: the doors, and the HTTP they have in common. A new wire is one line here. */
export class Entrance {
  readonly doors: Doors;
  /** Doors where a WebSocket's message may be larger than a frame, and how large. Bytes. */
  readonly largerAt: Readonly<Record<string, number>>;
  private readonly sessions: HttpSessions;

  constructor(private readonly with_: EntranceDependencies) {
    const { gateway, topics, allowedOrigins, signalr, longest } = with_;
    const all = [signalrDoor(signalr, longest), socketioDoor(longest), streamDoor()];
    this.largerAt = Object.fromEntries(all.flatMap(({ path, longest: most }) => (most ? [[path, most]] : [])));
    this.sessions = new HttpSessions({
      ...with_,
      topics: topics.local,
      admit: (transport, opening, id) => this.doors.admit(transport, opening, id),
      closed: (socket, code) => this.doors.left(socket, code),
      drained: socket => gateway.drain(socket),
    });
    const server = httpServer(all, {
      sessions: this.sessions,
      cors: new Cors(allowedOrigins, { credentials: true, headers: HEADERS }),
      longest,
      verify: token => gateway.verify(token),
      lookUp: token => gateway.lookUp(token),
      refusal: request => gateway.refusal(request),
    });
    this.doors = new Doors(gateway, topics, all, this.sessions, server);
  }

  /** For another node, which a request of a session here came to. */
  take({ session, user, wait }: HttpSession & { wait: number }): Promise<HttpTaken | null> {
    return this.sessions.take(session, user, wait);
  }

  received({ session, user, number }: HttpSession & { number: number }): void {
    this.sessions.received(session, user, number);
  }

  put({ session, user, text }: HttpSession & { text: string }): Promise<HttpPut | null> {
    return this.sessions.put(session, user, text);
  }

  async end({ session, user }: HttpSession): Promise<{ ended: boolean }> {
    return { ended: await this.sessions.end(session, user) };
  }

  /** The gateway stops: ends what requests alone keep going, and what was to move here. */
  close(): void {
    this.doors.closeWaiting();
    this.sessions.close();
  }

  /** Once a second. */
  tick(): void {
    const now = this.with_.now();
    this.doors.tick(now);
    this.sessions.tick(now);
  }
}
