import { CLOSES } from "../../../core/closes";
import { publicError, RookeryError } from "../../../core/errors";
import { checkFrame, errorAnswer, OPENING, splitFrames } from "../../../core/protocol";
import type { Answer, Port, Session, Wire } from "../wire";

/** Native frames over plain HTTP: what the server says is a stream of events, what the client says a request each. */
export const streamWire: Wire = {
  name: "stream",
  encode: ({ text }) => [text()],
  session: port => new StreamSession(port),
};

class StreamSession implements Session {
  constructor(private readonly port: Port) {}

  /** The rooms that the stream begins with, once it is there. */
  text(text: string): void {
    const rooms = JSON.parse(text) as Record<string, number | null>;
    const { token, name } = this.port;
    this.port.ask({ t: "hello", token, rooms }, answer => {
      this.port.transmit(JSON.stringify(answer.t === "welcome" ? { ...bare(answer), session: name } : bare(answer)));
      if (answer.t !== "welcome") this.port.end(CLOSES.BUSY);
    });
  }

  /** One frame, and its answer. */
  single(text: string): Promise<string> {
    const [frame, ...more] = splitFrames(text) ?? [];
    const i = Number.isInteger(frame?.i) ? frame?.i : undefined;
    try {
      if (!this.port.heeds()) throw new RookeryError("RATE_LIMITED", "Too many frames.");
      if (!frame || more.length > 0) throw new RookeryError("BAD_REQUEST", "Give one frame.");
      if (frame.t === OPENING) throw new RookeryError("CONFLICT", "The stream said hello.");
      const checked = checkFrame(frame);
      if (checked.t !== "send") this.port.throttle();
      return new Promise(resolve =>
        this.port.ask(checked, answer => resolve(JSON.stringify({ ...bare(answer), ...(i !== undefined && { i }) }))),
      );
    } catch (error) {
      return Promise.resolve(errorAnswer(i, publicError(error)));
    }
  }

  closing(): string | null {
    return null;
  }
}

/** Without the number it was asked under. */
function bare(answer: Answer): object {
  const { i: _i, ...rest } = answer;
  return rest;
}
