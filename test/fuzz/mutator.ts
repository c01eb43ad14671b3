import { pick, whole } from "../chaos/random";
import { nested, oddText, oddValue } from "./odd-values";

export type Random = () => number;

export interface Mutant {
  bytes: Buffer;
  /** Changed without a look at what it means: most often the last that its connection hears. */
  isBlind: boolean;
}

/** Share of the blind changes. The others leave JSON that can be read, and so reach what is behind the reading. */
const BLIND = 0.03;
const MOST_CHANGES = 3;
/** Share of the changes that leave a frame's first value alone: it says what kind it is, and without that it is nothing. */
const KIND_STAYS = 0.8;

/** Strings, numbers, words and marks of JSON. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[a-z]+|[{}[\],:]/g;

/** A value in a text, or a member of an object if it has a key. */
interface Place {
  /** Where its key begins; null in a list. */
  key: number | null;
  from: number;
  to: number;
}

/** Frames of JSON, whatever stands before and after it, as nobody would send them. The same random row gives the same. */
export class Mutator {
  constructor(private readonly random: Random) {}

  /** @param other a frame that parts are taken from */
  mutant(frame: string, other: string): Mutant {
    if (this.random() < BLIND) return { bytes: this.blind(Buffer.from(frame), Buffer.from(other)), isBlind: true };
    let text = frame;
    for (let changes = whole(this.random, 1, MOST_CHANGES); changes > 0; changes--) text = this.changed(text, other);
    return { bytes: Buffer.from(text), isBlind: false };
  }

  /** Bytes flipped, dropped, doubled or put together with others. */
  blind(bytes: Buffer, other: Buffer): Buffer {
    const { random } = this;
    const [from, to] = this.range(bytes.length);
    const head = bytes.subarray(0, from);
    const cut = bytes.subarray(from, to);
    const tail = bytes.subarray(to);
    switch (whole(random, 0, 6)) {
      case 0: {
        const flipped = Buffer.from(bytes);
        for (let left = whole(random, 1, 4); left > 0 && flipped.length > 0; left--)
          flipped[whole(random, 0, flipped.length - 1)]! ^= 1 << whole(random, 0, 7);
        return flipped;
      }
      case 1:
        return Buffer.from(head);
      case 2:
        return Buffer.concat([head, tail]);
      case 3:
        return Buffer.concat([head, cut, cut, tail]);
      case 4:
        return Buffer.concat([head, other.subarray(...this.range(other.length)), tail]);
      case 5:
        return this.separators(bytes);
      default:
        return Buffer.concat([bytes, other]);
    }
  }

  /** One mark of JSON or of the wire, dropped or doubled. */
  private separators(bytes: Buffer): Buffer {
    const text = bytes.toString("latin1");
    const marks = [...text.matchAll(/[{}[\]",:\n\x1e]/g)].map(({ index }) => index);
    const at = pick(this.random, marks) ?? 0;
    return Buffer.from(
      text.slice(0, at + (this.random() < 0.5 ? 0 : 1)) + text.slice(at + (this.random() < 0.5 ? 0 : 1)),
      "latin1",
    );
  }

  private range(length: number): [from: number, to: number] {
    const from = whole(this.random, 0, length);
    return [from, whole(this.random, from, length)];
  }

  private changed(text: string, other: string): string {
    const { random } = this;
    const places = placesIn(text);
    const place = pick(random, random() < KIND_STAYS && places.length > 1 ? places.slice(1) : places);
    if (!place) return text;
    const value = text.slice(place.from, place.to);
    const put = (one: string): string => text.slice(0, place.from) + one + text.slice(place.to);
    const chance = random();
    if (chance < 0.45) return put(oddValue(random));
    if (chance < 0.55) return put(nested(random, value));
    if (chance < 0.65) return put(this.valueOf(other) ?? "null");
    if (chance < 0.75) return put(this.valueOf(text) ?? "null");
    const begin = place.key ?? place.from;
    if (chance < 0.85) return `${text.slice(0, place.to)},${text.slice(begin, place.to)}${text.slice(place.to)}`;
    if (place.key === null) return put(`${value},${oddValue(random)}`);
    if (chance < 0.92) return `${text.slice(0, begin)}"${oddText(random)}":${text.slice(place.from)}`;
    return `${text.slice(0, begin)}"${oddText(random)}":${oddValue(random)},${text.slice(begin)}`;
  }

  private valueOf(text: string): string | undefined {
    const place = pick(this.random, placesIn(text));
    return place && text.slice(place.from, place.to);
  }
}

/** Every value within the outermost ones; none of a text that is not JSON in brackets. */
function placesIn(text: string): Place[] {
  const places: Place[] = [];
  const open: { place: Place | null; isObject: boolean }[] = [];
  let key: number | null = null;
  const body = text.search(/[[{]/);
  if (body < 0) return [];
  TOKENS.lastIndex = body;
  for (let match = TOKENS.exec(text); match; match = TOKENS.exec(text)) {
    const [token] = match;
    const from = match.index;
    const to = from + token.length;
    if (token === "}" || token === "]") {
      const place = open.pop()?.place;
      if (place) place.to = to;
    } else if (token !== "," && token !== ":") {
      const isKey = open.at(-1)?.isObject === true && key === null;
      if (isKey) key = from;
      else {
        const place = open.length > 0 ? { key, from, to } : null;
        if (place) places.push(place);
        key = null;
        if (token === "{" || token === "[") open.push({ place, isObject: token === "{" });
      }
    }
  }
  return places;
}
