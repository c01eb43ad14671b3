import WebSocket from "ws";
import type { Body } from "../support/rest";
import type { Cast, Room } from "./cast";
import { PATIENCE } from "./outcome";
import { pick } from "./random";
import type { Recorder } from "./recorder";

/** Answers that show nothing: it cannot be done now, or the session is over. */
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "UNKNOWN_OUTCOME", "RATE_LIMITED", "UNAUTHENTICATED"]);
const UNKNOWN_ROOM = "0197f000-0000-7000-8000-000000000000";

/**
 * A client that lies about where it was and asks for what is not its own, over a socket of its own that is not part of the
 * history. Resolves with what was answered otherwise than it must be; a socket that closes meanwhile shows nothing.
 */
export async function lie(
  { account, rooms }: Recorder,
  { cast, doors, random }: { cast: Cast; doors: readonly string[]; random: () => number },
): Promise<string[]> {
  const token = await account.token();
  const mine = pick(random, [...rooms.keys()]);
  const isForeign = ({ kind, members, changing }: Room): boolean =>
    kind !== "public" && !members.has(account.user) && !changing.has(account.user);
  const foreign = cast.rooms.find(isForeign);
  if (token === null || mine === undefined) return [];
  const complaints: string[] = [];
  const talk = await Talk.open(pick(random, doors) as string);
  if (!talk) return [];
  const expect = (what: string, answer: Body | null, holds: (answer: Body) => boolean): void => {
    if (answer === null || PASSING.has(answer.code) || holds(answer)) return;
    complaints.push(`${what} was answered ${JSON.stringify(answer).slice(0, 300)}`);
  };
  const invalid = ({ t, code }: Body): boolean => t === "err" && code === "INVALID";
  /** States may also say that the room cannot be had now. */
  const stands = (room: string, holds: (state: Body) => boolean) => (answer: Body) => {
    const state = answer.rooms?.[room];
    return state !== undefined && (PASSING.has(state.code) || holds(state));
  };
  const hidden = ({ state, code }: Body): boolean => state === "denied" && code === "NOT_FOUND";

  try {
    for (const offset of [-1, 1.5, "7", "head", [], {}, true])
      expect(
        `hello after ${JSON.stringify(offset)}`,
        await talk.ask({ t: "hello", token, rooms: { [mine]: offset } }),
        invalid,
      );
    const far = await talk.ask({ t: "hello", token, rooms: { [mine]: 1e12, [UNKNOWN_ROOM]: 3 } });
    expect(
      "hello after an offset of the future",
      far,
      stands(mine, ({ state }) => state === "reset" || state === "denied"),
    );
    expect("hello to a room that is not there", far, stands(UNKNOWN_ROOM, hidden));
    if (far?.t !== "welcome") return complaints;
    if (foreign)
      expect(
        "a foreign room",
        await talk.ask({ t: "sub", rooms: [foreign.id], from: { [foreign.id]: 0 } }),
        stands(foreign.id, state => hidden(state) || !isForeign(foreign)),
      );
    expect("sub after -3", await talk.ask({ t: "sub", rooms: [mine], from: { [mine]: -3 } }), invalid);
    expect("sub of a number", await talk.ask({ t: "sub", rooms: [7] }), invalid);
    expect("history before -1", await talk.ask({ t: "history", room: mine, before: -1 }), invalid);
    if (foreign)
      expect(
        "history of a foreign room",
        await talk.ask({ t: "history", room: foreign.id, limit: 5 }),
        ({ code }) => code === "NOT_FOUND" || !isForeign(foreign),
      );
    // Twice at once: each is answered, and what follows is one row of offsets (looked at by `Talk`).
    const head = far.rooms[mine].offset ?? 0;
    const frame = { t: "sub", rooms: [mine, mine], from: { [mine]: Math.max(0, head - 5) } };
    const answers = await Promise.all([talk.ask(frame), talk.ask(frame)]);
    for (const answer of answers)
      expect(
        "a double resume",
        answer,
        stands(mine, () => true),
      );
    await talk.ask({ t: "ping" });
    return [...complaints, ...talk.complaints];
  } finally {
    talk.end();
  }
}

/** Questions and answers over one socket; of the rest it only looks whether offsets go on one by one. */
class Talk {
  readonly complaints: string[] = [];
  private readonly asked = new Map<number, (answer: Body | null) => void>();
  /** Offset of the last entry of each room, where it is known. */
  private readonly position = new Map<string, number>();
  private last = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data: Buffer) => {
      for (const line of data.toString().split("\n")) this.take(JSON.parse(line));
    });
    socket.on("close", code => {
      if (code >= 4500 && code < 4600) this.complaints.push(`a liar's socket was closed with ${code}`);
      this.end();
    });
  }

  static open(url: string): Promise<Talk | null> {
    return new Promise(resolve => {
      const socket = new WebSocket(url, ["rookery.v1"], { handshakeTimeout: 5_000 });
      socket.once("open", () => resolve(new Talk(socket)));
      socket.on("error", () => resolve(null));
    });
  }

  /** Null: nobody answered in time, or the socket closed. */
  ask(frame: Record<string, unknown>): Promise<Body | null> {
    return new Promise(resolve => {
      if (this.socket.readyState !== WebSocket.OPEN) return resolve(null);
      const i = ++this.last;
      const timer = setTimeout(() => this.socket.terminate(), PATIENCE);
      this.asked.set(i, answer => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.socket.send(JSON.stringify({ ...frame, i }));
    });
  }

  end(): void {
    this.socket.terminate();
    for (const answered of this.asked.values()) answered(null);
    this.asked.clear();
  }

  private take(frame: Body): void {
    const answered = this.asked.get(frame.i);
    this.asked.delete(frame.i);
    answered?.(frame);
    for (const [room, { state, offset }] of Object.entries<Body>(frame.rooms ?? {})) {
      if (state === "replayed" || state === "denied") this.position.delete(room);
      else this.position.set(room, offset);
    }
    if (frame.t === "reset") this.position.set(frame.room, frame.offset);
    if (frame.t !== "event") return;
    const before = this.position.get(frame.room);
    if (before !== undefined && frame.offset !== before + 1)
      this.complaints.push(`a liar got entry ${frame.offset} after ${before} of room ${frame.room}`);
    this.position.set(frame.room, frame.offset);
  }
}
