import type { LogHead, RoomFacts } from "../../services/core/contract";
import type { Message } from "../../services/core/model";
import type { RoomEvent } from "../../services/core/room-bus";
import { command, wholeOf } from "./command";
import { ago, bytes, facts, iso, list, many, paragraphs, table } from "./format";
import type { Operator } from "./operator";

/** Entries shown unless the operator says how many, and at most; bytes of them. */
const LAST = 10;
const MOST = 200;
const MAX_BYTES = 512 * 1024;

const EMPTY: LogHead = { offset: 0, seq: 0, floor: 1 };

/** How operators call a room. */
export const roomName = ({ kind, name, id }: Pick<RoomFacts, "kind" | "name" | "id">): string =>
  name === null ? `the ${kind} room ${id}` : kind === "channel" ? `#${name}` : `${kind} "${name}"`;

/** The room as every gateway follows it; null where nobody reads it. */
export async function followers(operator: Operator, room: string) {
  const answers = await operator.everywhere("ws-gateway.room", { room });
  return answers.map(({ node, answer, problem }) => {
    if (problem !== undefined) return { gateway: node, problem };
    if (!answer) return { gateway: node, follows: null };
    return { gateway: node, follows: { ...answer, tookAt: answer.tookAt === null ? null : iso(answer.tookAt) } };
  });
}

/**
 * An entry without what was said, unless `text` is asked for, and with the time it has. An edit shows its message as it is
 * now: text and time are its own only if it is the `latest` of its message.
 */
function entryOf({ offset, seq, kind, data, member }: RoomEvent, text: boolean, latest: boolean) {
  const size = Buffer.byteLength(data);
  const about = JSON.parse(data) as Partial<Message> & { userId?: string; messageId?: string };
  const common = { offset, seq, kind, bytes: size };
  if (member) return { ...common, user: member.user, what: member.change + (member.role ? ` as ${member.role}` : "") };
  if (kind === "reaction") return { ...common, user: about.userId ?? null, what: `to ${about.messageId}` };
  if (kind !== "message" && kind !== "edit" && kind !== "delete") return common;
  const at = { message: about.createdAt, edit: latest ? about.editedAt : undefined, delete: about.deletedAt }[kind];
  return {
    ...common,
    user: about.senderId ?? null,
    ...(at !== undefined && { at }),
    ...(kind === "message" ? { id: about.id } : { what: `of ${about.id}` }),
    ...(kind === "message" && about.deletedAt !== undefined && { what: "deleted since" }),
    ...(kind === "message" && about.editedAt !== undefined && { what: "edited since" }),
    ...(text && (kind !== "edit" || latest) && { text: about.text ?? "" }),
  };
}

/** Offsets of the last edit of each message; none unless the events reach the head. */
function lastEditsOf(events: readonly RoomEvent[], head: number): Set<number> {
  if ((events.at(-1)?.offset ?? 0) < head) return new Set();
  const edits = events.filter(({ kind }) => kind === "edit");
  return new Set(new Map(edits.map(({ data, offset }) => [(JSON.parse(data) as Message).id, offset])).values());
}

export const room = command({
  name: "room",
  takes: "<id|name>",
  description: "a room: who writes it, its head and last entries, who follows it where",
  options: {
    last: { type: "string", short: "n", meaning: `entries to show, ${LAST} unless given` },
    text: { type: "boolean", meaning: "show what was said, too" },
  },
  async ask(operator, { given: [name = ""], options }) {
    const last = wholeOf(options.last, LAST, MOST);
    const { members, pending, ...about } = await operator.room(name);
    const { heads } = await operator.ask("messages.heads", { rooms: [about.id] });
    const head = heads[about.id] ?? EMPTY;
    const after = Math.max(head.floor - 1, head.offset - last);
    const range = { room: about.id, after, limit: last, maxBytes: MAX_BYTES };
    const [{ events }, gateways] = await Promise.all([
      operator.ask("messages.range", range),
      followers(operator, about.id),
    ]);
    const lastEdits = lastEditsOf(events, head.offset);
    const entries = events.map(event => entryOf(event, options.text === true, lastEdits.has(event.offset)));
    const users = [...entries.flatMap(entry => ("user" in entry ? (entry.user ?? []) : [])), about.createdBy];
    const nameOf = await operator.names([...users, ...members.map(({ user }) => user)]);
    return {
      ...about,
      createdBy: nameOf(about.createdBy),
      members: members.map(({ user, role }) => ({ user, username: nameOf(user), role })),
      writer: operator.writerOf(about.id),
      head,
      entries: entries.map(entry =>
        "user" in entry && entry.user ? { ...entry, username: nameOf(entry.user) } : entry,
      ),
      gateways: gateways.map(gateway =>
        gateway.follows?.offset == null
          ? gateway
          : { ...gateway, follows: { ...gateway.follows, lag: Math.max(0, head.offset - gateway.follows.offset) } },
      ),
      pending: pending.map(({ since, user, ...change }) => ({
        ...change,
        ...(user !== undefined && { user, username: nameOf(user) }),
        since: iso(since),
      })),
    };
  },
  show(found, paint) {
    const { head, members, memberCount, gateways, entries, pending } = found;
    const named = members.map(({ username, role }) => (role === "member" ? username : `${username} (${role})`));
    const more = memberCount > members.length ? ` and ${memberCount - members.length} more` : "";
    const state = [found.kind === "channel" ? (found.isPrivate ? "private channel" : "public channel") : found.kind];
    if (found.deletedAt !== null) state.push(paint.red(`deleted ${ago(found.deletedAt)}`));
    return paragraphs(
      facts(paint, [
        ["room", `${paint.bold(roomName(found))}  ${found.id}`],
        ["kind", state.join(", ")],
        ["made", `by ${found.createdBy}, ${ago(found.createdAt)}`],
        ["members", memberCount === 0 ? "none" : `${memberCount}: ${list(named)}${more}`],
        ["writer", found.writer ?? paint.red("none: no messages node is there")],
        ["head", `offset ${head.offset}, seq ${head.seq}` + (head.floor > 1 ? `, log begins at ${head.floor}` : "")],
        pending.length > 0
          ? [
              "pending",
              paint.yellow(pending.map(one => `${one.change} ${one.username ?? ""}, ${ago(one.since)}`).join("; ")),
            ]
          : null,
      ]),
      table(
        paint,
        ["gateway", "subscribers", "position", "lag", "in memory", "last entry passed on"],
        gateways.map(({ gateway, ...is }) => {
          if ("problem" in is) return [gateway, "", "", "", "", paint.red(is.problem ?? "")];
          if (!is.follows) return [gateway, "0", "-", "-", "-", paint.dim("nobody reads the room there")];
          const { subscribers, replaying, offset, ring, tookAt, behind } = is.follows;
          const lag = "lag" in is.follows ? is.follows.lag : 0;
          return [
            gateway,
            `${subscribers}${replaying > 0 ? ` (${replaying} catching up)` : ""}`,
            offset === null ? paint.yellow("not known yet") : String(offset),
            lag > 0 || behind ? paint.yellow(`${lag}${behind ? ", healing" : ""}`) : "0",
            `${ring.entries} (${bytes(ring.bytes)})`,
            tookAt === null ? "-" : ago(tookAt),
          ];
        }),
      ),
      entries.length === 0
        ? paint.dim("no entries")
        : table(
            paint,
            ["offset", "seq", "kind", "user", "when", "size", "what"],
            entries.map(entry => [
              entry.offset,
              entry.seq,
              entry.kind,
              "username" in entry ? entry.username : "",
              "at" in entry && entry.at ? ago(entry.at) : "-",
              bytes(entry.bytes),
              detail(entry, paint.dim),
            ]),
          ) + `\n${paint.dim(`${many(entries.length, "entry", "entries")} of ${head.offset - head.floor + 1}`)}`,
    );
  },
});

function detail(entry: ReturnType<typeof entryOf>, dim: (text: string) => string): string {
  const { id, what, text } = entry as { id?: string; what?: string; text?: string };
  const about = [id, what].filter(part => part !== undefined).join(" ");
  return text === undefined ? about : `${dim(about)} ${JSON.stringify(text)}`;
}
