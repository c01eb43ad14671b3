import type { AppendRequest, ImportedMessage } from "../../services/core/contract";
import { clientIdOf, idOf, partsOf, withFiles } from "./names";
import { count, type RoomReport } from "./report";
import type { SourceMessage } from "./source";

/** Bytes that a request may take on its way, around its text and for its metadata. */
const FRAME = 1_024;
const METADATA = 8 * 1_024;
const ESCAPED = 6;

/** A message and what happened to it, as requests. */
export interface Piece {
  message: AppendRequest;
  changes: AppendRequest[];
  /** When it was pinned, and by whom; pins have an order of their own. */
  pin?: Pin;
  /** What all of it takes. */
  bytes: number;
}

export interface Pin {
  at: string;
  request: AppendRequest;
}

export interface Surroundings {
  /** The room here. */
  room: string;
  report: RoomReport;
  /** Everybody who did something; grows. */
  seen: Set<string>;
  /** Characters of a text here. */
  maxText: number;
  /** Who somebody of the source is here. */
  user(person: string): Promise<string>;
}

/** Of the same room the same, and sorted by nothing but chance: order is that of the log. */
const messageId = (room: string, key: string): string => idOf(`message ${room} ${key}`);

/** Usually one. A text that is too long here becomes several messages; what refers to it refers to the first. */
export async function piecesOf(source: SourceMessage, around: Surroundings): Promise<Piece[]> {
  const { room, seen, report, maxText, user } = around;
  const sender = await user(source.sender);
  seen.add(sender);
  const { createdAt, editedAt, answers, thread, mentions = [], mentionsAll, metadata } = source;
  const parts = partsOf(withFiles(source.text, source.files), maxText);
  if (parts.length > 1) count(report.lost, "texts longer than a message may be here: in several messages");
  const named = await Promise.all(mentions.map(user));
  const messages = parts.map((text, at): ImportedMessage => {
    const key = at === 0 ? source.key : `${source.key}-${at + 1}`;
    return {
      id: messageId(room, key),
      sender,
      clientId: clientIdOf(key),
      text,
      createdAt,
      ...(editedAt !== undefined && { editedAt }),
      ...(answers !== undefined && { replyTo: messageId(room, answers) }),
      ...(thread !== undefined && { threadId: messageId(room, thread) }),
      ...(named.length > 0 && { mentions: named }),
      ...(mentionsAll && { mentionsAll }),
      ...(metadata && { metadata }),
    };
  });
  const [{ id }] = messages as [ImportedMessage];
  const changes = await changesOf(source, id, sender, around);
  const pin = await pinOf(source, id, around);
  return messages.map((message, at) => {
    const mine = at === 0 ? changes : [];
    const request: AppendRequest = { room, entry: { op: "import", message } };
    const bytes = [request, ...mine].reduce((sum, one) => sum + sizeOf(one), 0);
    return { message: request, changes: mine, bytes, ...(at === 0 && pin && { pin }) };
  });
}

/** Each has an id made of what it is, so that it has its effect once, even where that was taken back here since. */
async function changesOf(
  { versions = [], reactions, deletedAt }: SourceMessage,
  id: string,
  sender: string,
  { room, seen, report, maxText, user }: Surroundings,
): Promise<AppendRequest[]> {
  const changes = versions.map(({ text, at }): AppendRequest => {
    const [first = "", ...rest] = partsOf(text, maxText);
    if (rest.length > 0) count(report.lost, "earlier versions longer than a message may be here: cut");
    const changeId = idOf(`version ${id} ${at} ${text}`);
    return { room, entry: { op: "importVersion", changeId, id, text: first, at } };
  });
  for (const { emoji, people } of reactions)
    for (const person of people) {
      const by = await user(person);
      seen.add(by);
      const changeId = idOf(`reaction ${id} ${emoji}`);
      changes.push({ room, entry: { op: "importReaction", changeId, id, by, emoji } });
    }
  if (deletedAt !== undefined) changes.push({ room, entry: { op: "importDelete", id, by: sender, at: deletedAt } });
  return changes;
}

async function pinOf(
  { pinned, deletedAt, sender }: SourceMessage,
  id: string,
  { room, seen, user }: Surroundings,
): Promise<Pin | null> {
  if (!pinned || deletedAt !== undefined) return null;
  const { by: person = sender, at } = pinned;
  const by = await user(person);
  seen.add(by);
  return { at, request: { room, entry: { op: "importPin", changeId: idOf(`pin ${id}`), id, by, at } } };
}

function sizeOf({ entry }: AppendRequest): number {
  if (entry.op === "importVersion") return FRAME + entry.text.length * ESCAPED;
  if (entry.op !== "import") return FRAME;
  return FRAME + entry.message.text.length * ESCAPED + (entry.message.metadata ? METADATA : 0);
}
