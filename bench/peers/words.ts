/** The words of the peers that know no protocol: `j:ROOM` is answered `ok`, `s:ROOM:TEXT` goes to all of the room as TEXT. */
export type Word = { type: "join"; room: string } | { type: "send"; room: string; text: string };

export function wordOf(said: string): Word {
  if (said.startsWith("j:")) return { type: "join", room: said.slice(2) };
  const end = said.indexOf(":", 2);
  return { type: "send", room: said.slice(2, end), text: said.slice(end + 1) };
}
