import type { Wire } from "./vocabulary";

/** Frames of a connection that are remembered. */
const REMEMBERED = 64;

/** What was sent last by one who sends, of his connection that is open or ended last. */
export class Recent {
  private connection = 0;
  private frames: { at: string; bytes: Buffer }[] = [];

  constructor(readonly name: string) {}

  connected(): void {
    this.connection++;
    this.frames = [];
  }

  sent(bytes: Buffer): void {
    this.frames.push({ at: new Date().toISOString(), bytes });
    if (this.frames.length > REMEMBERED) this.frames.shift();
  }

  /** One line of JSON a frame. */
  lines(): string[] {
    const { name, connection } = this;
    return this.frames.map(({ at, bytes }) =>
      JSON.stringify({
        name,
        connection,
        at,
        text: bytes.toString("utf8").slice(0, 200),
        base64: bytes.toString("base64"),
      }),
    );
  }
}

/** What is sent over one wire, by however many, and how their connections end. */
export class Effort {
  frames = 0;
  connections = 0;
  /** By code, or by who ended it. */
  readonly closes = new Map<string, number>();

  constructor(
    readonly wire: Wire,
    /** Frames to be sent. */
    readonly goal: number,
    private readonly signal: AbortSignal,
  ) {}

  get isOver(): boolean {
    return this.frames >= this.goal || this.signal.aborted;
  }

  closed(how: string): void {
    this.closes.set(how, (this.closes.get(how) ?? 0) + 1);
  }
}
