import { whole } from "../chaos/random";

type Odd = (random: () => number) => string;

const NUMBERS = [
  ...["0", "-0", "-1", "1.5", "1e3", "-1e-7", "2147483648", "-2147483649", "4294967296", "9007199254740993"],
  ...["18446744073709551616", "-9223372036854775809", "1e308", "1e999", "-1e999", "5e-324", "1".repeat(400)],
];

/** As JSON has them: escapes keep what no UTF-8 can say. */
const STRINGS = [
  ...["", " ", "null", "NaN", "Infinity", "-0", "0x10", "__proto__", "constructor", "prototype", "toString", "then"],
  ...["hasOwnProperty", "length", "$where", "../../etc/passwd", "a,b", "a/b", "a.b", "a:b", "*", ">", "%00", "#"],
  ...["\\ud800", "\\udc00\\ud800", "\\u0000", "\\u0000.\\u0000", "\\n", "\\r\\n\\r\\n", "\\u001e", '\\\\\\"'],
  ...["\\u2028", "\u202e", "\ufeff", "e\u0301", "\u{1f469}\u200d\u{1f469}\u200d\u{1f467}", "İ", "ß", "ﷺ"],
];

const OBJECTS = [
  ...["{}", "[]", "[[]]", "[null]", '{"":""}', '{"length":4294967296}', '{"length":-1}', '{"toString":1}'],
  ...['{"__proto__":{"t":"hello","roles":["Admin"]}}', '{"constructor":{"prototype":{"t":"hello"}}}', '{"then":1}'],
  ...['{"toJSON":1}', '{"$gt":""}', '{"a":{"$ne":null}}', '{"id":{}}', '{"id":"__proto__"}', '{"valueOf":null}'],
];

/** Characters and levels that are more than any bound allows, and some that are just within one or beyond. */
const LENGTHS = [64, 65, 100, 101, 200, 201, 500, 501, 2_048, 4_000, 4_001, 70_000];
const DEPTHS = [15, 16, 17, 64, 1_000, 10_000];

const among =
  (all: readonly string[]): Odd =>
  random =>
    all[whole(random, 0, all.length - 1)] as string;
const sizeOf = (random: () => number, sizes: readonly number[]): number =>
  sizes[Math.floor(random() ** 2 * sizes.length)] as number;

const oneNumber = among(NUMBERS);
const oneObject = among(OBJECTS);
const oneLiteral = among(["null", "true", "false"]);
const listed = among(STRINGS);

const long: Odd = random => (random() < 0.5 ? "x" : "\u{1f600}").repeat(sizeOf(random, LENGTHS));
const many: Odd = random => `[${Array.from({ length: sizeOf(random, LENGTHS) }, (_, n) => `"${n}"`).join(",")}]`;

/** A level of one kind more around a value, so many times. */
export function nested(random: () => number, value: string): string {
  const levels = random() < 0.7 ? whole(random, 1, 20) : sizeOf(random, DEPTHS);
  return random() < 0.5
    ? `${"[".repeat(levels)}${value}${"]".repeat(levels)}`
    : `${'{"a":'.repeat(levels)}${value}${"}".repeat(levels)}`;
}

/** Text between the quotes of a string of JSON. */
export const oddText: Odd = random => (random() < 0.95 ? listed : long)(random);

/** A value of JSON that no field wants, of any type. */
export function oddValue(random: () => number): string {
  const chance = random();
  if (chance < 0.3) return `"${oddText(random)}"`;
  if (chance < 0.6) return oneNumber(random);
  if (chance < 0.8) return oneObject(random);
  if (chance < 0.97) return oneLiteral(random);
  return chance < 0.985 ? many(random) : nested(random, "0");
}
