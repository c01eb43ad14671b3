import type { Identity } from "../core/model";
import type { FrameOf } from "../core/protocol";

export type MarkFrame =
  Pick<FrameOf<"read">, "t" | "room" | "seq" | "private"> | Pick<FrameOf<"delivered">, "t" | "room" | "seq">;
type Move = (user: Identity, mark: MarkFrame) => Promise<void>;

/** The mark that is moved next, and how that will end. */
interface Next {
  mark: MarkFrame;
  moved: Promise<void>;
}

interface Line {
  underWay: Promise<unknown>;
  next: Next | null;
}

/**
 * Marks say "up to": while one is on its way, the furthest of those that follow it stands for all of them. Who marks each
 * message of a burst costs two calls, not one for each. One that is on its way already stands for none that come later: what
 * was marked as unread in between must be ended by them.
 */
export class JoinedMarks {
  /** By user, room and kind. */
  private readonly lines = new Map<string, Line>();

  constructor(private readonly move: Move) {}

  /** As `move` ends for this mark or for a further one. */
  add(user: Identity, mark: MarkFrame): Promise<void> {
    const key = `${user.id} ${mark.t} ${mark.t === "read" && mark.private === true ? "private " : ""}${mark.room}`;
    const line = this.lines.get(key);
    if (!line) return this.begin(key, user, mark);
    if (line.next) {
      if (mark.seq > line.next.mark.seq) line.next.mark = mark;
      return line.next.moved;
    }
    const next: Next = { mark, moved: Promise.resolve() };
    next.moved = line.underWay.then(() => this.begin(key, user, next.mark));
    line.next = next;
    return next.moved;
  }

  private begin(key: string, user: Identity, mark: MarkFrame): Promise<void> {
    const moved = this.move(user, mark);
    const line: Line = { underWay: Promise.resolve(), next: null };
    line.underWay = moved
      .catch(() => undefined)
      .then(() => {
        if (!line.next) this.lines.delete(key);
      });
    this.lines.set(key, line);
    return moved;
  }
}
