import type { Row } from "./matrix";
import { CALLERS, type Kind } from "./scene";

/** Made and compared with what is asked of the product: `npm run matrix` writes it anew. */
const HEAD = `# Who may do what

Every method, asked for by everybody at every door; a test asks again and compares. A method is the same everywhere: over
REST, as \`call\` of the native socket, as a frame of its own, over \`/stream\`, at the SignalR hub and by Socket.IO; where a
door has a word for it, it gives the same answer. \`sub\` and \`typing\` are frames and no methods: to hear of a room, and to be
seen typing.

**yes**: it is done. **no**: FORBIDDEN; he may know of it. **hidden**: NOT_FOUND, as if there was none. **sign in**:
UNAUTHENTICATED. An empty field, or no column: there is nobody like that.

A *room moderator* and the *owner* are that in the room that is asked about; *Moderator* and *Admin* hold the role for the
whole installation and are not in the room. The *author* wrote the message. Who was *removed* was a member before; who is
*banned*, *muted* or a *room guest* is that in this room. A *Guest* has that role alone in the whole installation. Who is
*deactivated* asks with a token from before. Who is *blocked* asks for somebody who blocks him: as a person, in the direct
conversation of the two, and in rooms whose owner and author block him. A *newcomer* came after the message was written, into
a room with \`history: "joined"\`. A *banned Admin* was banned in the room before he was one: he runs it like any Admin, lifts
the ban if he likes, and until then neither reads nor joins it.
`;

const WORDS: Readonly<Record<string, string>> = {
  ok: "yes",
  FORBIDDEN: "no",
  NOT_FOUND: "hidden",
  UNAUTHENTICATED: "sign in",
};

const TITLES: Readonly<Record<Kind | "none", string>> = {
  none: "Oneself, people and lists",
  public: "In a public channel",
  private: "In a private channel or group",
  direct: "In a direct conversation",
};

export function page(rows: readonly Row[]): string {
  const parts = (["none", "public", "private", "direct"] as const).map(kind => {
    const own = rows.filter(row => (row.kind ?? "none") === kind);
    return `## ${TITLES[kind]}\n\n${table(own)}\n`;
  });
  return [HEAD, ...parts].join("\n");
}

function table(rows: readonly Row[]): string {
  const callers = CALLERS.filter(caller => rows.some(({ verdicts }) => verdicts[caller] !== null));
  const lines = [
    ["", ...callers],
    ["---", ...callers.map(() => "---")],
    ...rows.map(({ name, verdicts }) => [
      `\`${name.split(" ")[0] ?? ""}\`${name.includes(" ") ? name.slice(name.indexOf(" ")) : ""}`,
      ...callers.map(caller => {
        const verdict = verdicts[caller];
        return verdict === null ? "" : (WORDS[verdict] ?? verdict);
      }),
    ]),
  ];
  return lines.map(cells => `| ${cells.join(" | ")} |`).join("\n");
}
