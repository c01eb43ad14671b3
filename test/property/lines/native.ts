import { SocketClient, type Frame } from "../../support/socket";
import { within } from "../../support/eventually";
import type { Told } from "../model";
import type { Call } from "../operation";
import { isNotNow, refused, UNKNOWN, type Answer, type Entered, type Entry, type Line, type Wire } from "./line";

/** Milliseconds a connection may take to be let in. */
const PATIENCE = 15_000;

export const native: Wire = {
  name: "native",
  knows: { everything: true, offsets: true },
  async open({ client, wsUrl, room, had }: Entry) {
    const socket = await within(PATIENCE, "a native connection", SocketClient.open(wsUrl));
    try {
      const more = had && { n: had.n, ...(had.epoch !== null && { epoch: had.epoch }) };
      const welcome = await socket.hello(client.token as string, { [room]: had?.offset ?? null }, more ?? {});
      if (welcome.t !== "welcome" || isNotNow(welcome.rooms[room].code))
        throw new Error(`no welcome: ${JSON.stringify(welcome)}`);
      const { state, offset = null } = welcome.rooms[room];
      const entered: Entered = {
        state,
        offset: state === "replayed" ? (had?.offset ?? null) : offset,
        notes: had?.n != null && welcome.feed !== "reset",
      };
      return { line: new NativeLine(socket, room, welcome.epoch as string), entered };
    } catch (error) {
      socket.cut();
      throw error;
    }
  },
};

class NativeLine implements Line {
  private readonly all: Told[] = [];
  private read = 0;

  constructor(
    private readonly socket: SocketClient,
    private readonly room: string,
    readonly epoch: string,
  ) {}

  get isOpen(): boolean {
    return this.socket.closed === null;
  }

  get told(): readonly Told[] {
    for (const { frames } = this.socket; this.read < frames.length; this.read += 1)
      this.all.push(...toldBy(frames[this.read] as Frame, this.room));
    return this.all;
  }

  get broken(): readonly string[] {
    return this.socket.violations;
  }

  get n(): number | null {
    return this.socket.n;
  }

  ask({ frame }: Call): Promise<Answer> | null {
    if (!frame) return null;
    return this.socket.request(frame).then(answerOf, () => UNKNOWN);
  }

  async end(inOrder: boolean): Promise<void> {
    if (inOrder && this.isOpen) await this.socket.close().catch(() => undefined);
    this.socket.cut();
  }
}

export const answerOf = (frame: Frame): Answer =>
  frame.t === "err" ? refused(frame.code) : { state: "ok", body: frame };

/** What a native frame tells of the room for good: what may be lost on the way, as marks of others, is nothing to build on. */
export function toldBy(frame: Frame, room: string): Told[] {
  const { t, kind, data, offset } = frame;
  if (t === "user") {
    if (kind === "reset") return [{ what: "reset", offset: null }];
    if (kind === "readAll") {
      const { marks, ...more } = data as { marks: { roomId: string }[] };
      return marks
        .filter(({ roomId }) => roomId === room)
        .map(mark => ({ what: "note", kind, data: { ...mark, ...more } }));
    }
    // Of any room he comes to know so whether it is his.
    return data.roomId === room || kind === "member" ? [{ what: "note", kind, data }] : [];
  }
  if (frame.room !== room) return [];
  if (t === "event") return [{ what: "event", kind, data, offset }];
  if (t === "reset") return [{ what: "reset", offset }];
  return t === "unsub" ? [{ what: "cut" }] : [];
}
