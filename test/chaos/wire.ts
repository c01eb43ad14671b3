import WebSocket from "ws";
import type { Asked } from "../judge/history";
import type { Frame } from "../support/socket";
import type { Journal, Who } from "./journal";
import { CLOSED, PATIENCE, record, refusedWith, UNANSWERED, type Outcome } from "./outcome";
import { sightsOf } from "./shown";

type Settled = (outcome: Outcome) => void;

interface Pending {
  /** Null for what is no operation of the history. */
  asked: Asked | null;
  id: number;
  since: number;
  settled: Settled | undefined;
}

export interface WireOwner {
  /** Every frame that is no answer, after it was recorded. */
  took(frame: Frame): void;
  /** Called once. */
  closed(code: number): void;
  /** The server broke a promise of the wire that no rule of the history can show. */
  misbehaved(what: string): void;
}

const ANSWERS: ReadonlySet<string> = new Set(["welcome", "ok", "err", "pong"]);
/** Milliseconds the upgrade may take, and after which a silent connection is asked whether it lives. */
const UPGRADE = 5_000;
const SILENCE = 5_000;
/** Bytes of a text frame: the server takes 64 KiB. */
const FRAME = 60_000;

/** One socket of a client over which everything is recorded. */
export class Wire {
  private readonly pending = new Map<number, Pending>();
  private last = 0;
  private heardAt: number;
  private pinging = false;
  private over = false;

  private constructor(
    private readonly socket: WebSocket,
    private readonly journal: Journal,
    private readonly who: Who,
    private readonly owner: WireOwner,
  ) {
    this.heardAt = journal.now;
    socket.on("message", (data: Buffer, binary) => {
      if (binary) return owner.misbehaved("a binary frame");
      this.heardAt = journal.now;
      for (const line of data.toString("utf8").split("\n")) this.read(line);
    });
    socket.on("close", code => this.end(code));
  }

  /** Resolves when the door has taken it; null if it did not. */
  static open(door: string, journal: Journal, who: Who, sid: string | null, owner: WireOwner): Promise<Wire | null> {
    return new Promise(resolve => {
      const socket = new WebSocket(door, ["rookery.v1"], { handshakeTimeout: UPGRADE, maxPayload: 16 * 1024 * 1024 });
      socket.once("open", () => {
        journal.seen(who, { phase: "seen", what: "open", sid });
        resolve(new Wire(socket, journal, who, owner));
      });
      socket.on("error", () => resolve(null));
    });
  }

  get isOpen(): boolean {
    return !this.over;
  }

  /** Operations and questions that were not answered yet. */
  get waiting(): number {
    return this.pending.size;
  }

  /** Begins an operation. `settled` is called once, before any later frame is looked at. */
  ask(asked: Asked, frame: Record<string, unknown>, settled?: Settled): void {
    this.askAll([{ asked, frame, settled }]);
  }

  /** Several as one text frame, or as few as may be. */
  askAll(all: readonly { asked: Asked; frame: Record<string, unknown>; settled?: Settled }[]): void {
    const lines = all.map(({ asked, frame, settled }) => {
      const id = this.journal.invoke(this.who, asked);
      return this.numbered(frame, { asked, id, since: this.journal.now, settled });
    });
    let frame: string[] = [];
    let bytes = 0;
    for (const line of lines) {
      const size = Buffer.byteLength(line) + 1;
      if (bytes + size > FRAME && frame.length > 0) {
        this.write(frame.join("\n"));
        [frame, bytes] = [[], 0];
      }
      frame.push(line);
      bytes += size;
    }
    if (frame.length > 0) this.write(frame.join("\n"));
  }

  /** Asks for what is no operation of the history. */
  question(frame: Record<string, unknown>, settled?: Settled): void {
    this.write(this.numbered(frame, { asked: null, id: 0, since: this.journal.now, settled }));
  }

  /** Writes without waiting for an answer. */
  tell(frame: Record<string, unknown>): void {
    this.write(JSON.stringify(frame));
  }

  /** To be called every second or so: gives up what is dead. */
  beat(): void {
    if (this.over) return;
    const now = this.journal.now;
    let stuck = false;
    for (const [i, pending] of this.pending) {
      if (now - pending.since <= PATIENCE) break;
      stuck = true;
      this.pending.delete(i);
      this.settle(pending, UNANSWERED);
    }
    if (stuck) return this.cut();
    if (now - this.heardAt < SILENCE || this.pinging) return;
    this.pinging = true;
    this.question({ t: "ping" }, () => (this.pinging = false));
  }

  /** Ends the connection without a word. */
  cut(): void {
    this.socket.terminate();
    this.end(1006);
  }

  /** Leaves in order. */
  leave(): void {
    this.socket.close(1000);
    this.end(1000);
  }

  private numbered(frame: Record<string, unknown>, pending: Pending): string {
    const i = ++this.last;
    this.pending.set(i, pending);
    return JSON.stringify({ ...frame, i });
  }

  private write(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
    if (this.over) this.settleAll();
  }

  private read(line: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(line) as Frame;
    } catch {
      return this.owner.misbehaved(`a frame that is not JSON: ${line.slice(0, 200)}`);
    }
    this.take(frame);
  }

  private take(frame: Frame): void {
    // What arrives after the client has left is not looked at by any client.
    if (this.over) return;
    if (ANSWERS.has(frame.t) && (frame.i !== undefined || frame.t !== "err")) return this.answered(frame);
    for (const sight of sightsOf(frame)) this.journal.seen(this.who, sight);
    this.owner.took(frame);
  }

  private answered(frame: Frame): void {
    const pending = this.pending.get(frame.i);
    if (!pending) return this.owner.misbehaved(`an answer nobody waits for: ${JSON.stringify(frame).slice(0, 200)}`);
    this.pending.delete(frame.i);
    this.settle(pending, frame.t === "err" ? refusedWith(frame.code) : { state: "ok", body: frame });
  }

  private settle({ asked, id, settled }: Pending, outcome: Outcome): void {
    if (asked) record(this.journal, this.who, id, asked, outcome);
    settled?.(outcome);
  }

  private end(code: number): void {
    if (this.over) return;
    this.over = true;
    this.journal.seen(this.who, { phase: "seen", what: "close", code });
    this.settleAll();
    this.owner.closed(code);
  }

  /** Nothing is answered any more. */
  private settleAll(): void {
    const open = [...this.pending.values()];
    this.pending.clear();
    for (const pending of open) this.settle(pending, CLOSED);
  }
}
