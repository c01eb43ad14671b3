/** Where an attack can be tried. `inside`: code, configuration or files of the project. */
export const DOORS = ["REST", "native", "SignalR", "Socket.IO", "stream", "NATS", "inside"] as const;
export type AttackDoor = (typeof DOORS)[number];

export interface Attack {
  what: string;
  /** Every door that has it; at least one test for each. */
  doors: readonly AttackDoor[];
}

const WIRES: readonly AttackDoor[] = ["native", "SignalR", "Socket.IO"];
const SOCKETS: readonly AttackDoor[] = [...WIRES, "stream"];
const ALL: readonly AttackDoor[] = ["REST", ...SOCKETS];
const attack = (what: string, ...doors: AttackDoor[]): Attack => ({ what, doors });

/**
 * What is tried against the product. The numbers are those of the survey that the project began with; a test names them in
 * its title: `(S19: REST, native)`. A house test holds this table, the titles and docs/attacks.md against each other.
 */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  S01: attack("Tokens signed by nobody, by another key, or by a key that the token itself names", ...ALL),
  S02: attack("A token of ours that is meant for something else", ...ALL),
  S03: attack("Tokens that are spent, not valid yet, changed, huge or malformed", ...ALL),
  S04: attack("A start in production without a secret, or with a weak one", "inside"),
  S05: attack("A refresh token that was used before", "REST"),
  S06: attack("One refresh token used many times at once", "REST"),
  S07: attack("Tokens and passwords looked for in the store", "inside"),
  S08: attack("Objects, lists and near misses in place of a password or a token", ...ALL),
  S09: attack(
    "Coming in by another door: deactivated, unverified, or without the code of one's second factor",
    "REST",
    "native",
  ),
  S10: attack("Finding out by an answer, or by the work it takes, whether somebody has an account", "REST"),
  S11: attack("Passwords that are alike in their first 72 bytes, or hold a NUL", "REST"),
  S12: attack("Passwords that are guessed first; and none that is good is refused for its kinds of characters", "REST"),
  S14: attack("A flood of sign-ins", "inside"),
  S15: attack("Going on over open connections after the end of a session, a change of roles, or deletion", ...ALL),
  S16: attack("Going on over a connection whose token has ended", "native"),
  S17: attack("A new password without the current one; sessions of others listed or ended", "REST"),
  S18: attack("A token in an address", "REST", "native", "Socket.IO", "stream"),
  S19: attack("Objects of rooms one is not in, by their id", "REST", ...WIRES),
  S20: attack("Objects of one room reached through another", "REST", ...WIRES),
  S21: attack("An action without a declared policy, or called by nobody", "inside"),
  S22: attack("Actions that are for services, operators or administrators", "REST", "native"),
  S23: attack("Fields that are the server's to write, or not for others to read", "REST", "native"),
  S24: attack("What goes on in a room after one was removed from it", ...ALL),
  S25: attack("Patterns, subjects and other people's feeds in place of a room", ...SOCKETS),
  S26: attack("The words of a message that was deleted or edited", "REST", ...WIRES),
  S27: attack("Owners who demote each other at the same time", "REST"),
  S28: attack("Operators of a query in place of values", "REST", "native"),
  S29: attack("Queries, fields, sorts and page sizes that are not offered", "REST"),
  S30: attack("JavaScript in the database", "inside"),
  S31: attack("Prototypes changed by names of fields", "REST", "native"),
  S32: attack("One parameter given twice, or in two places", "REST"),
  S33: attack("Texts that make a parser try again and again", "inside"),
  S34: attack("JSON that is deep or odd, and characters that are none", "REST", "native"),
  S36: attack("Errors that tell how we are built", "REST"),
  S58: attack("Packets forged by whoever reaches NATS", "NATS"),
  S59: attack("The NATS credential of one service used for another's work", "NATS"),
  S60: attack("Ports that are for operators", "inside"),
  S61: attack("Secrets in what we log", "inside"),
  S65: attack("Packages that run scripts or are not pinned", "inside"),
  S66: attack("A restore that brings back sessions, or loses order", "inside"),
};

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
test sees to it that they agree and that no door goes without. \`ATTACKS=write npx jest test/unit/house/attacks\` writes it.

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
  return `${HEAD}\n${lines.map(cells => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}
