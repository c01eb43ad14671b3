import { pick, whole } from "../chaos/random";
import { encodeFrame, OPCODE } from "../support/raw-socket";
import { Mutator, type Mutant, type Random } from "./mutator";

/** Share of what breaks no rule of the RFC, so that a connection lives for the rest. */
const LAWFUL = 0.6;
/** Payload bytes at which the header takes another form, and those a control frame may have. */
const LENGTHS = [0, 1, 124, 125, 126, 127, 65_535, 65_536];

/** WebSocket frames around a text as no library would write them: headers, lengths, masks and parts. */
export class RawMutator {
  private readonly mutator: Mutator;

  constructor(private readonly random: Random) {
    this.mutator = new Mutator(random);
  }

  mutant(text: string, other: string): Mutant {
    if (this.random() < LAWFUL) return { bytes: this.lawful(text), isBlind: false };
    const bytes = this.random() < 0.6 ? this.unlawful(text) : this.blind(text, other);
    return { bytes, isBlind: true };
  }

  /** A request for a connection, changed anywhere. */
  upgrade(request: string, other: string): Buffer {
    const lines = request.split("\r\n");
    const at = whole(this.random, 0, lines.length - 3);
    const line = lines[at] as string;
    switch (whole(this.random, 0, 4)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, line);
        break;
      case 2:
        lines[at] = `${line}${pick(this.random, ["x", "\0", ",", ";", "é"])?.repeat(pick(this.random, LENGTHS) ?? 1)}`;
        break;
      default:
        return this.mutator.blind(Buffer.from(request), Buffer.from(other));
    }
    return Buffer.from(lines.join("\r\n"));
  }

  /** In parts, with control frames in between. */
  private lawful(text: string): Buffer {
    const bytes = Buffer.from(text);
    const parts = whole(this.random, 1, 4);
    const frames: Buffer[] = [];
    for (let part = 0, from = 0; part < parts; part++) {
      const isLast = part === parts - 1;
      const to = isLast ? bytes.length : whole(this.random, from, bytes.length);
      frames.push(this.frame(part === 0 ? OPCODE.TEXT : OPCODE.CONTINUATION, bytes.subarray(from, to), isLast));
      if (this.random() < 0.3) frames.push(this.frame(pick(this.random, [OPCODE.PING, OPCODE.PONG]) as number, "?"));
      from = to;
    }
    return Buffer.concat(frames);
  }

  private unlawful(text: string): Buffer {
    const { random } = this;
    const frame = this.frame(OPCODE.TEXT, text);
    const filler = (): Buffer => Buffer.alloc(pick(random, LENGTHS) as number, "x");
    switch (whole(random, 0, 7)) {
      case 0:
        return this.frame(whole(random, 0, 15), text, random() < 0.5);
      case 1:
        return encodeFrame(OPCODE.TEXT, text, { reserved: whole(random, 1, 7) << 4, mask: this.mask() });
      case 2:
        return encodeFrame(whole(random, 0, 15), text, { masked: false });
      case 3:
        return this.frame(pick(random, [OPCODE.PING, OPCODE.PONG, OPCODE.CLOSE]) as number, filler(), random() < 0.5);
      case 4:
        return this.frame(
          OPCODE.CLOSE,
          Buffer.from([whole(random, 0, 255), whole(random, 0, 255), ...filler().subarray(0, 123)]),
        );
      case 5:
        return this.frame(pick(random, [OPCODE.TEXT, OPCODE.BINARY]) as number, filler());
      case 6:
        // More or less than there is.
        frame[1] = 0x80 | whole(random, 0, 127);
        return frame;
      default:
        return Buffer.concat([Buffer.from([0x81, 0xff]), this.bytes(8), frame]);
    }
  }

  /** Of two frames on their way. */
  private blind(text: string, other: string): Buffer {
    return this.mutator.blind(Buffer.from(this.frame(OPCODE.TEXT, text)), Buffer.from(this.frame(OPCODE.TEXT, other)));
  }

  private frame(opcode: number, payload: string | Uint8Array, fin = true): Buffer {
    return encodeFrame(opcode, payload, { fin, mask: this.mask() });
  }

  private mask(): Buffer {
    return this.bytes(4);
  }

  private bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => whole(this.random, 0, 255)));
  }
}
