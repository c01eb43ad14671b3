import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Message, MessageVersion } from "../../services/core/model";
import type { RoomRole } from "../../services/core/permissions";
import type { ExportedRoom } from "../../services/core/contract";
import { Mistake } from "../backup/mistake";
import { usernameOf } from "./names";
import type { Source, SourceItem, SourceMember, SourceMessage, SourcePerson, SourceRoom } from "./source";

interface Line {
  type?: string;
  [field: string]: unknown;
}

interface MemberLine {
  userId: string;
  username?: string;
  email?: string;
  role: RoomRole;
  state: "member" | "left" | "banned";
  joinedAt: string;
  bannedUntil?: string;
  mutedUntil?: string | null;
}

/** Exports made before there were versions in them have none. */
type MessageLine = Message & { versions?: MessageVersion[] };

/** Characters of one line at most, and bytes of the end of a file in which its last line is looked for. */
const LONGEST = 64 * 1024 * 1024;
const TAIL = 4_096;
const VERSION = 1;

/** The export of a room of ours. Lines are read as they are needed; who was in the room is kept. */
export class RookerySource implements Source {
  readonly origin = "rookery";
  private readonly people = new Map<string, SourcePerson>();

  private constructor(
    private readonly room: ExportedRoom["room"],
    private readonly lines: AsyncGenerator<Line>,
  ) {}

  /** Throws Mistake for what is no such export, or one that was cut off. */
  static async open(path: string): Promise<RookerySource> {
    const lines = linesOf(path);
    const { value: header } = (await lines.next()) as { value?: Line };
    if (header?.type !== "export") throw new Mistake(`${path} is no export: its first line does not say so`);
    if (header.kind !== "room") throw new Mistake(`${path} is the export of a ${String(header.kind)}, not of a room`);
    if (header.version !== VERSION) throw new Mistake(`${path} has version ${String(header.version)}, not ${VERSION}`);
    if (!(await isWhole(path))) throw new Mistake(`${path} was cut off: its last line is missing`);
    return new RookerySource(header.room as ExportedRoom["room"], lines);
  }

  person(key: string): SourcePerson {
    return this.people.get(key) ?? { key, username: usernameOf(`user-${key.slice(-8)}`), id: key };
  }

  async *rooms(): AsyncIterable<SourceRoom> {
    const { room } = this;
    const { topic, mode, slowMode, history, archivedAt, retentionDays, legalHold } = room;
    const members: SourceMember[] = [];
    let first: Line | undefined;
    for (;;) {
      const { value, done } = await this.lines.next();
      first = done ? undefined : value;
      if (first?.type !== "member") break;
      const { userId, username, email, role, state, joinedAt, bannedUntil, mutedUntil } = first as Line & MemberLine;
      members.push({
        ...{ person: userId, role, state, joinedAt },
        ...(bannedUntil !== undefined && { bannedUntil }),
        ...(mutedUntil !== undefined && { mutedUntil }),
      });
      const name = usernameOf(username ?? `user-${userId.slice(-8)}`);
      this.people.set(userId, { key: userId, username: name, id: userId, ...(email !== undefined && { email }) });
    }
    yield {
      key: room.id,
      kind: room.kind,
      name: room.name,
      isPrivate: room.isPrivate,
      ...(topic !== undefined && { topic }),
      ...(mode !== undefined && { mode }),
      ...(slowMode !== undefined && { slowMode }),
      ...(history && { history }),
      ...(archivedAt !== undefined && { archivedAt }),
      ...(retentionDays !== undefined && { retentionDays }),
      ...(legalHold && { legalHold }),
      createdAt: room.createdAt,
      createdBy: room.createdBy,
      members,
      messages: () => this.messages(first),
    };
  }

  async close(): Promise<void> {
    await this.lines.return(undefined);
  }

  private async *messages(first: Line | undefined): AsyncIterable<SourceItem> {
    for (let line = first; line; line = ((await this.lines.next()) as { value?: Line }).value) {
      if (line.type === "message") yield { message: messageOf(line as unknown as MessageLine) };
      else if (line.type !== "end") yield { skipped: `unknown line: ${String(line.type).slice(0, 40)}` };
    }
  }
}

const keyOf = (id: string): string => `rookery-${id}`;

function messageOf(message: MessageLine): SourceMessage {
  const { id, senderId, text, createdAt, editedAt, deletedAt, replyTo, threadId, reactions = [] } = message;
  const { mentions, mentionsAll, metadata, pinned, versions } = message;
  return {
    key: keyOf(id),
    sender: senderId,
    text,
    createdAt,
    ...(editedAt !== undefined && { editedAt }),
    ...(deletedAt !== undefined && { deletedAt }),
    ...(replyTo !== undefined && { answers: keyOf(replyTo) }),
    ...(threadId !== undefined && { thread: keyOf(threadId) }),
    ...(mentions && { mentions }),
    ...(mentionsAll && { mentionsAll }),
    ...(pinned && { pinned }),
    ...(versions && { versions }),
    ...(metadata && { metadata }),
    reactions: reactions.map(({ emoji, users }) => ({ emoji, people: users })),
    files: message.attachments.map(({ name = "file" }) => ({ name })),
  };
}

async function* linesOf(path: string): AsyncGenerator<Line> {
  let rest = "";
  let n = 0;
  for await (const chunk of createReadStream(path, { encoding: "utf8", highWaterMark: 256 * 1024 })) {
    const lines = (rest + (chunk as string)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield parsed(path, ++n, line);
    if (rest.length > LONGEST) throw new Mistake(`line ${n + 1} of ${path} is too long`);
  }
  if (rest.trim() !== "") yield parsed(path, ++n, rest);
}

function parsed(path: string, n: number, text: string): Line {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === "object" && line !== null) return line as Line;
  } catch {
    // Told below.
  }
  throw new Mistake(`line ${n} of ${path} is no JSON document`);
}

async function isWhole(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(size, TAIL));
    await file.read(tail, 0, tail.length, size - tail.length);
    const last = tail.toString().trimEnd().split("\n").at(-1) ?? "";
    return last.startsWith('{"type":"end"') && last.endsWith("}");
  } finally {
    await file.close();
  }
}
