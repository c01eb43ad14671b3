/** Where somebody outside comes in. `files`: uploads, downloads and links, which take bytes and no JSON. */
export const CLIENT_DOORS = ["REST", "native", "SignalR", "Socket.IO", "stream", "files"] as const;
type ClientDoor = (typeof CLIENT_DOORS)[number];
/** Where an attack can be tried. `inside`: code, configuration or files of the project. */
export const DOORS = [...CLIENT_DOORS, "NATS", "inside"] as const;
export type AttackDoor = (typeof DOORS)[number];

export interface Attack {
  what: string;
  /** Every door that has it; at least one test for each. */
  doors: readonly AttackDoor[];
  /** Of every other door where clients come in: why it has no such thing. */
  without: Partial<Record<ClientDoor, string>>;
}

const SOCKETS: readonly ClientDoor[] = ["native", "SignalR", "Socket.IO", "stream"];
const ALL: readonly ClientDoor[] = ["REST", ...SOCKETS, "files"];

/** @param why one reason for all doors that do not have it, or one for some and `else` for the others */
function attack(
  what: string,
  doors: readonly AttackDoor[],
  why: string | (Partial<Record<ClientDoor, string>> & { else?: string }) = {},
): Attack {
  const own = typeof why === "string" ? { else: why } : why;
  const others = ALL.filter(door => !doors.includes(door)).flatMap(door => {
    const reason = own[door] ?? own.else;
    return reason === undefined ? [] : [[door, reason] as const];
  });
  return { what, doors, without: Object.fromEntries(others) };
}

const TOKENS_ALONE = "it takes access tokens and tokens of programs alone: no name, password or refresh token";
const NO_CALL = "it has no such call";
const NO_TOPIC = "nothing is followed there";
const ONE_PARSER = "what is said is one JSON value, and one parser reads it: of a name given twice the last counts";
const BEFORE = "it is decided before any door is open";

/**
 * What is tried against the product. The numbers are those of the survey that the project began with; a test names them in
 * its title: `(S19: REST, native)`. A house test holds this table, the titles and docs/attacks.md against each other.
 */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  S01: attack("Tokens signed by nobody, by another key, or by a key that the token itself names", ALL),
  S02: attack("A token of ours that is meant for something else", ALL),
  S03: attack("Tokens that are spent, not valid yet, changed, huge or malformed", ALL),
  S04: attack("A start in production without a secret, or with a weak one", ["inside"], BEFORE),
  S05: attack("A refresh token that was used before", ["REST"], TOKENS_ALONE),
  S06: attack("One refresh token used many times at once", ["REST"], TOKENS_ALONE),
  S07: attack("Tokens and passwords looked for in the store", ["inside"], "the store is behind all of them"),
  S08: attack("Objects, lists and near misses in place of a password or a token", ALL),
  S09: attack("Coming in by another door: deactivated, unverified, or without the code of one's second factor", ALL),
  S10: attack(
    "Finding out by an answer, or by the work it takes, whether somebody has an account",
    ["REST"],
    TOKENS_ALONE,
  ),
  S11: attack("Passwords that are alike in their first 72 bytes, or hold a NUL", ["REST"], TOKENS_ALONE),
  S12: attack(
    "Passwords that are guessed first; and none that is good is refused for its kinds of characters",
    ["REST"],
    TOKENS_ALONE,
  ),
  S13: attack("Many passwords for one account from many addresses, or for many from one", ["REST"], TOKENS_ALONE),
  S14: attack(
    "A flood of sign-ins",
    ["REST", "inside"],
    "nobody signs in there; who is in goes on, as the test of REST says",
  ),
  S15: attack("Going on over open connections after the end of a session, a change of roles, or deletion", ALL),
  S16: attack("Going on over a connection whose token has ended", SOCKETS, "every request brings its token: S03"),
  S17: attack(
    "A new password without the current one; sessions of others listed or ended",
    ["REST", "native", "stream"],
    NO_CALL,
  ),
  S18: attack("A token in an address", ["REST", "native", "Socket.IO", "stream", "files"], {
    SignalR: "browsers have no other way to open its socket; no log has it: S61",
  }),
  S19: attack("Objects of rooms one is not in, by their id", ALL),
  S20: attack("Objects of one room reached through another", ALL),
  S21: attack("An action without a declared policy, or called by nobody", [...ALL, "inside"]),
  S22: attack("Actions that are for services, operators or administrators", ["REST", ...SOCKETS], {
    files: "it is three routes of REST, whose table has no others",
  }),
  S23: attack("Fields that are the server's to write, or not for others to read", ALL),
  S24: attack("What goes on in a room after one was removed from it", ALL),
  S25: attack("Patterns, subjects and other people's feeds in place of a room", SOCKETS, NO_TOPIC),
  S26: attack("The words of a message that was deleted or edited", ALL),
  S27: attack(
    "Owners who demote each other at the same time; more who join at once than there is room for",
    ["REST", "native", "stream"],
    NO_CALL,
  ),
  S28: attack("Operators of a query in place of values", ALL),
  S29: attack(
    "Queries, fields, sorts and page sizes that are not offered",
    ["REST", "native", "stream"],
    "it has no lists",
  ),
  S30: attack("JavaScript in the database", ["inside"], "no door has a query that could hold any: S28"),
  S31: attack("Prototypes changed by names of fields", ALL),
  S32: attack("One parameter given twice, or in two places", ["REST", "stream", "files"], ONE_PARSER),
  S33: attack(
    "Texts that make a parser try again and again",
    ["inside"],
    "each parser is measured by itself, whatever door it serves",
  ),
  S34: attack("JSON that is deep or odd, and characters that are none", ALL),
  S35: attack("Scripts in texts, names and files", [...ALL, "inside"]),
  S36: attack("Errors that tell how we are built", ALL),
  S58: attack("Packets forged by whoever reaches NATS", ["NATS"], "no client speaks to NATS"),
  S59: attack("The NATS credential of one service used for another's work", ["NATS"], "no client speaks to NATS"),
  S60: attack("Ports that are for operators", ["inside"], "they are other ports"),
  S61: attack("Secrets in what we log", ["inside"], "the test uses every one of them and reads the log"),
  S62: attack("Lines of the log forged by breaks and escapes", ALL),
  S63: attack("What the audit log must have, and has when it is answered", ["REST", ...SOCKETS], {
    files: "nobody is refused there: a file is there for him, or there is none",
  }),
  S64: attack("What a browser may do with an answer", ALL),
  S65: attack("Packages that run scripts or are not pinned", ["inside"], BEFORE),
  S66: attack("A restore that brings back sessions, or loses order", ["inside"], BEFORE),
};

/** The numbers that must be tried: of the others docs/faults.md tells. */
const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `S${String(from + n).padStart(2, "0")}`);
export const NUMBERS = [...range(1, 36), ...range(58, 66)];

/** A title's last words: which attacks it tries, and at which doors. */
const TAG = /\((S\d\d(?:, S\d\d)*): ([A-Za-z., ]+)\)"/g;

export interface Try {
  id: string;
  door: string;
  file: string;
}

/** What the titles in a test's source say. */
export const triesIn = (file: string, source: string): Try[] =>
  [...source.matchAll(TAG)].flatMap(([, ids = "", doors = ""]) =>
    ids.split(", ").flatMap(id => doors.split(", ").map(door => ({ id, door, file }))),
  );

const HEAD = `# What is tried against it

Every attack of the list that this project was measured by, the doors it can be tried at, and how many tests try it there. A
test names its attacks in its title (\`S19: REST, native\`); this page is made of those titles and \`test/attacks.ts\`, and a
test sees to it that they agree, that no number is left out, and that no door goes without a test or a reason. \`ATTACKS=write npx jest test/unit/house/attacks\` writes it.

What floods, hostile frames and other people's sites try at the sockets is in [faults.md](faults.md).
`;

export function page(tries: readonly Try[]): string {
  const rows = Object.entries(ATTACKS).map(([id, { what, doors }]) => {
    const own = tries.filter(one => one.id === id);
    const counts = DOORS.map(door => {
      const found = own.filter(one => one.door === door).length;
      return found > 0 ? String(found) : doors.includes(door) ? "none" : "";
    });
    const files = [...new Set(own.map(({ file }) => file.replace(/^test\//, "").replace(/\.test\.ts$/, "")))].sort();
    return [id, what, ...counts, files.map(file => `\`${file}\``).join(", ")];
  });
  const lines = [["", "what", ...DOORS, "tests in"], ["---", "---", ...DOORS.map(() => "---"), "---"], ...rows];
  return `${HEAD}\n${lines.map(cells => `| ${cells.join(" | ")} |`).join("\n")}\n\n${REASONS}\n${reasons().join("\n")}\n`;
}

const REASONS = `## Doors that do not have it
`;

function reasons(): string[] {
  const found = new Map<string, Map<string, string[]>>();
  for (const [id, { without }] of Object.entries(ATTACKS))
    for (const [door, why] of Object.entries(without)) {
      const doors = found.get(why) ?? new Map<string, string[]>();
      found.set(why, doors.set(id, [...(doors.get(id) ?? []), door]));
    }
  return [...found].map(([why, ids]) => {
    const named = [...ids].map(
      ([id, doors]) => `${id} (${doors.length === CLIENT_DOORS.length ? "all" : doors.join(", ")})`,
    );
    return `- ${named.join("; ")}: ${why}.`;
  });
}
