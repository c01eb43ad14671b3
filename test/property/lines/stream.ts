import { EventSource } from "eventsource";
import { within } from "../../support/eventually";
import type { Frame } from "../../support/socket";
import type { Told } from "../model";
import type { Call } from "../operation";
import { isNotNow, UNKNOWN, type Answer, type Entry, type Line, type Wire } from "./line";
import { answerOf, toldBy } from "./native";

const PATIENCE = 15_000;

/** Resumes a room, not the user's own feed: marks are fetched whenever it comes back. */
export const stream: Wire = {
  name: "stream",
  knows: { everything: true, offsets: true },
  async open(entry: Entry) {
    const line = new StreamLine(entry);
    try {
      const { state, code } = (await within(PATIENCE, "a stream", line.welcome)).rooms[entry.room];
      if (isNotNow(code)) throw new Error(`no welcome: ${code}`);
      return { line, entered: { state, offset: line.position, notes: false } };
    } catch (error) {
      await line.end();
      throw error;
    }
  },
};

class StreamLine implements Line {
  readonly told: Told[] = [];
  readonly broken: string[] = [];
  readonly n = null;
  readonly epoch = null;
  readonly welcome: Promise<Frame>;
  /** Offset of the last event, or where it came in. */
  position: number | null = null;
  private readonly source: EventSource;
  private session = "";
  private ended = false;

  constructor(private readonly entry: Entry) {
    const { url, room, had, client } = entry;
    const from = had?.offset == null ? room : `${room}:${had.offset}`;
    this.source = new EventSource(`${url}/stream?rooms=${from}`, {
      fetch: (address, init) =>
        fetch(address, { ...init, headers: { ...init.headers, Authorization: `Bearer ${client.token}` } }),
    });
    this.welcome = new Promise((resolve, reject) => {
      this.source.onmessage = ({ data }) => {
        const frame = JSON.parse(data as string) as Frame;
        if (frame.t === "welcome") {
          const { state, offset } = frame.rooms[room];
          this.session = frame.session;
          this.position = state === "replayed" ? (had?.offset ?? null) : (offset ?? null);
          resolve(frame);
        } else if (frame.t === "err") reject(new Error(`no welcome: ${data}`));
        else this.take(frame);
      };
      this.source.onerror = () => {
        this.close();
        reject(new Error("the stream ended"));
      };
    });
    this.welcome.catch(() => undefined);
  }

  get isOpen(): boolean {
    return !this.ended;
  }

  ask({ frame }: Call): Promise<Answer> | null {
    return frame ? this.post(frame) : null;
  }

  async end(): Promise<void> {
    this.close();
  }

  private close(): void {
    this.ended = true;
    this.source.close();
  }

  private async post(frame: Record<string, unknown>): Promise<Answer> {
    const { url, client } = this.entry;
    try {
      const response = await fetch(`${url}/stream?session=${encodeURIComponent(this.session)}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${client.token}` },
        body: JSON.stringify(frame),
        signal: AbortSignal.timeout(PATIENCE),
      });
      const body = (await response.json()) as Frame;
      // Its session is gone with the process that had it: it says the same over a new one, or REST.
      return typeof body.t === "string" ? answerOf(body) : UNKNOWN;
    } catch {
      return UNKNOWN;
    }
  }

  private take(frame: Frame): void {
    if (frame.t === "event" && frame.room === this.entry.room) {
      if (frame.offset !== (this.position ?? 0) + 1)
        this.broken.push(`event ${frame.offset} came after ${this.position}`);
      this.position = frame.offset;
    }
    if (frame.t === "reset" && frame.room === this.entry.room) this.position = frame.offset;
    this.told.push(...toldBy(frame, this.entry.room));
  }
}
