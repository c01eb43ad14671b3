import type { Part } from "./letters";

/** One letter as text and as HTML. All that is said is escaped; nothing is fetched when it is read. */
export function page(language: string, title: string, parts: readonly Part[]): { text: string; html: string } {
  return {
    text: parts.map(plain).join("\n\n") + "\n",
    html: `<!doctype html>
<html lang="${language}">
<head><meta charset="utf-8"><title>${escaped(title)}</title></head>
<body style="font-family:sans-serif;line-height:1.5;color:#222;max-width:36em;margin:2em auto;padding:0 1em">
${parts.map(markup).join("\n")}
</body>
</html>
`,
  };
}

const plain = (part: Part): string => (typeof part === "string" ? oneLine(part) : `${part.label}:\n${part.link}`);

function markup(part: Part): string {
  if (typeof part === "string") return `<p>${escaped(oneLine(part))}</p>`;
  const link = escaped(part.link);
  return `<p><a href="${link}">${escaped(part.label)}</a><br><small>${link}</small></p>`;
}

/** What somebody has named himself must not begin paragraphs of ours. */
const oneLine = (text: string): string => text.replace(/\s+/g, " ");

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export const escaped = (text: string): string => text.replace(/[&<>"']/g, character => ENTITIES[character] as string);
