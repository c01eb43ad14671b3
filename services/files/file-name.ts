/** Bytes of a name. */
const MAX_BYTES = 255;
/** Longer endings are part of the name. */
const MAX_EXTENSION = 20;

/** C0, C1, line and paragraph separators, and what turns the direction of text: a name may not look like another one. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu;

/** The name under which a file is shown and saved: no path, nothing unseen, at most 255 bytes with its ending kept. */
export function cleanName(given: string | undefined): string {
  const last = (given ?? "").toWellFormed().split(/[/\\]/).pop() ?? "";
  const name = last.replace(UNSEEN, "").trim().replace(/^\.+$/, "");
  return name === "" ? "file" : shorten(name);
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 && name.length - dot <= MAX_EXTENSION ? name.slice(dot) : "";
  let stem = "";
  let room = MAX_BYTES - Buffer.byteLength(extension);
  for (const character of name.slice(0, name.length - extension.length)) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    stem += character;
  }
  return stem + extension;
}

/** The value of Content-Disposition (RFC 6266): a plain name for old clients, the full one for all others. */
export function contentDisposition(name: string, inline: boolean): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/gu, "_");
  const full = encodeURIComponent(name).replace(/['()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${inline ? "inline" : "attachment"}; filename="${plain}"; filename*=UTF-8''${full}`;
}
