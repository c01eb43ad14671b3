/** Names one message may mention; more are text. */
const MENTIONED = 50;

/** Names that nobody has: they stand for everybody in the room, and for those of them who are online. */
export const ALL = "all";
export const HERE = "here";

/** Scripts whose words meet without a space, or take their endings right behind a name. */
const UNSPACED = ["Han", "Hiragana", "Katakana", "Hangul", "Thai", "Lao", "Khmer", "Myanmar"]
  .map(script => `\\p{Script=${script}}`)
  .join("");
const WORD = `[[\\p{L}\\p{N}_.\\-]--[${UNSPACED}]]`;
/** A word after @, not inside another word (an e-mail address mentions nobody). */
const MENTION = new RegExp(`(?<!${WORD})@(${WORD}+)`, "gv");
const NAME = /^[a-z0-9_.-]{3,32}$/;

/**
 * User names that a text may mention, in lower case. A name may end in a dot or hyphen, and so may a sentence: both readings
 * are given, and only one of them can be somebody.
 */
export function namesMentioned(text: string): string[] {
  if (!text.includes("@")) return [];
  const names = new Set<string>();
  for (const [, name = ""] of text.toLowerCase().matchAll(MENTION)) {
    const bare = name.slice(0, endOf(name));
    for (const reading of [name, bare]) if (NAME.test(reading) && names.size < MENTIONED) names.add(reading);
  }
  return [...names];
}

/** Where a name ends without the dots and hyphens behind it. Not by a pattern: it would try anew at each of them. */
function endOf(name: string): number {
  let end = name.length;
  while (end > 0 && (name[end - 1] === "." || name[end - 1] === "-")) end -= 1;
  return end;
}
