/** One call that a followed process made, as powerloss.c wrote it down after it returned. */
export type JournalRecord =
  | { kind: "open" | "create"; inode: number; path: string }
  | { kind: "write"; inode: number; at: number; data: Buffer }
  | { kind: "truncate"; inode: number; at: number }
  | { kind: "syncBegin" | "syncEnd"; inode: number; sync: number }
  | { kind: "rename" | "link"; from: string; to: string }
  | { kind: "unlink" | "mkdir"; path: string };

const KINDS = [
  "",
  "open",
  "create",
  "write",
  "truncate",
  "syncBegin",
  "syncEnd",
  "rename",
  "unlink",
  "link",
  "mkdir",
] as const;
const HEADER = 24;

/** Records of a journal with the position (bytes) at which each ends. The last may be cut off and is left out. */
export function* recordsIn(journal: Buffer): Generator<{ record: JournalRecord; end: number }> {
  for (let start = 0; start + HEADER <= journal.length;) {
    const end = start + HEADER + journal.readUInt32LE(start);
    if (end > journal.length) return;
    yield { record: recordAt(journal, start, end), end };
    start = end;
  }
}

function recordAt(journal: Buffer, start: number, end: number): JournalRecord {
  const kind = KINDS[journal.readUInt32LE(start + 4)];
  const inode = Number(journal.readBigUInt64LE(start + 8));
  const at = Number(journal.readBigUInt64LE(start + 16));
  const data = journal.subarray(start + HEADER, end);
  switch (kind) {
    case "open":
    case "create":
      return { kind, inode, path: data.toString() };
    case "write":
      return { kind, inode, at, data };
    case "truncate":
      return { kind, inode, at };
    case "syncBegin":
    case "syncEnd":
      return { kind, inode, sync: at };
    case "rename":
    case "link": {
      const [from = "", to = ""] = data.toString().split("\0");
      return { kind, from, to };
    }
    case "unlink":
    case "mkdir":
      return { kind, path: data.toString() };
    default:
      throw new Error(`The journal is damaged at ${start}`);
  }
}
