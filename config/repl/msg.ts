import type { BatchTrace, MessageFacts } from "../../services/core/contract";
import { command, Mistake } from "./command";
import { clock, iso, list, many, paragraphs } from "./format";
import { shortNode, type Answer, type Operator } from "./operator";
import { followers, roomName } from "./room";

/** One thing that happened to a message. */
export interface Step {
  /** RFC 3339, by the clock of whoever did it. */
  at: string;
  what: string;
}

/** How one gateway stands to the message. */
export interface Arrival {
  gateway: string;
  state: "took" | "passed" | "nobody" | "behind" | "away";
  at?: string;
  subscribers?: number;
  position?: number | null;
  problem?: string;
}

export interface Written {
  node: string;
  batch: BatchTrace;
}

/** A batch with its times in RFC 3339. */
type Told = { [K in keyof BatchTrace]: K extends `${string}At` ? string : BatchTrace[K] };

type Marks = { count: number; usernames: string[] };

interface Why {
  message: Omit<MessageFacts, "read" | "delivered"> & { sender: string; username: string };
  room: { id: string; name: string };
  /** Who writes the room now. */
  writer: string | null;
  written: { node: string; batch: Told } | null;
  /** Since when each messages node remembers what it wrote; why not, where it does not answer. */
  memory: { node: string; since?: string; problem?: string }[];
  repeats: { node: string; at: string }[];
  gateways: Arrival[];
  delivered: Marks;
  read: Marks;
  path: Step[];
}

async function arrivals(operator: Operator, room: string, offset: number): Promise<Arrival[]> {
  const [took, follow] = await Promise.all([
    operator.everywhere("ws-gateway.took", { room, offset }),
    followers(operator, room),
  ]);
  return took.map(({ node, answer, problem }): Arrival => {
    if (!answer) return { gateway: node, state: "away", problem };
    const follows = follow.find(one => one.gateway === node)?.follows ?? null;
    const { subscribers = 0, offset: position = null } = follows ?? {};
    const common = { gateway: node, subscribers };
    if (answer.took)
      return answer.at === null
        ? { ...common, state: "passed", position }
        : { ...common, state: "took", at: iso(answer.at) };
    return follows ? { ...common, state: "behind", position } : { ...common, state: "nobody" };
  });
}

/** What happened to a message in the order of time. */
export function pathOf(
  { username, clientId, length, attachments, createdAt, editedAt, deletedAt, offset, seq }: Why["message"],
  written: Written | null,
  repeats: Why["repeats"],
  gateways: readonly Arrival[],
): Step[] {
  const steps: Step[] = [];
  const files = attachments > 0 ? `, ${many(attachments, "file")}` : "";
  const size = deletedAt === undefined ? `${many(length, "character")}${files}` : "deleted since";
  const under = clientId === undefined ? "no clientId" : `clientId ${clientId}`;
  const became = `${username}'s message became offset ${offset}, seq ${seq} (${under}; ${size})`;
  if (written?.batch.settled) {
    const { writtenAt, committedAt, publishedAt } = written.batch;
    steps.push(
      { at: createdAt, what: became },
      { at: iso(writtenAt), what: `the store had not answered ${written.node}: its senders were told UNKNOWN_OUTCOME` },
      {
        at: iso(committedAt),
        what: `settled by writing the same again, ${committedAt - writtenAt} ms later: it is stored`,
      },
      { at: iso(publishedAt), what: "published to the gateways" },
    );
  } else if (written) {
    const { node, batch } = written;
    const { from, to, queuedAt, writtenAt, committedAt, publishedAt } = batch;
    const alone = from === to;
    const asked = alone ? `${username}'s request` : "the first request of its batch";
    const together = alone ? "alone" : `in one batch of ${to - from + 1}, offsets ${from} to ${to}`;
    steps.push(
      { at: iso(queuedAt), what: `${asked} was at the writer, ${node}` },
      { at: createdAt, what: became },
      { at: iso(writtenAt), what: `handed to the store ${together}, after ${writtenAt - queuedAt} ms` },
      { at: iso(committedAt), what: `durable: the commit took ${committedAt - writtenAt} ms` },
      { at: iso(publishedAt), what: "published to the gateways, and acknowledged" },
    );
  } else steps.push({ at: createdAt, what: became });
  for (const { gateway, at, subscribers = 0 } of gateways)
    if (at !== undefined)
      steps.push({ at, what: `${gateway} passed it on; it has ${many(subscribers, "subscriber")} of the room now` });
  for (const { node, at } of repeats)
    steps.push({ at, what: `the same clientId came again to ${shortNode(node)}: answered with this message` });
  if (editedAt !== undefined) steps.push({ at: editedAt, what: "edited, for the last time" });
  if (deletedAt !== undefined) steps.push({ at: deletedAt, what: "deleted; nothing of what it said is left" });
  return steps.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** What became of it on the gateways that did not tell when they passed it on. */
export function absence(
  { gateway, state, position, subscribers = 0, problem }: Arrival,
  offset: number,
): string | null {
  switch (state) {
    case "took":
      return null;
    case "passed":
      return `${gateway} is past it (at offset ${position ?? "?"}); when it passed is not in its memory`;
    case "nobody":
      return `${gateway} has nobody in the room; who comes gets it from the log`;
    case "behind":
      return position == null
        ? `${gateway} does not know yet how far the room is; its ${many(subscribers, "subscriber")} wait`
        : `${gateway} is behind: at offset ${position}, ${offset - position} before it, with ${many(subscribers, "subscriber")}`;
    case "away":
      return `${gateway} ${problem}`;
  }
}

export const msg = command<Why>({
  name: "msg",
  takes: "why <id>",
  description: "the path of a message: writer, commit, gateways, marks; or why it is not there",
  async ask(operator, { given: [, id = ""] }) {
    const found = await operator.ask("messages.inspect", { id });
    if (!found)
      throw new Mistake(`there is no message "${id}": it was never stored, or its room's log no longer holds it`);
    const { delivered, read, ...facts } = found;
    const { room, offset } = facts;
    const [about, traces, gateways, nameOf] = await Promise.all([
      operator.room(room).catch(() => null),
      operator.everywhere("messages.trace", { room, offset }),
      arrivals(operator, room, offset),
      operator.names([facts.sender, ...delivered.users, ...read.users]),
    ]);
    const message = { ...facts, username: nameOf(facts.sender) };
    const written = writtenBy(traces);
    const repeats = traces.flatMap(({ node, answer }) => (answer?.repeats ?? []).map(at => ({ node, at: iso(at) })));
    return {
      message,
      room: { id: room, name: about ? roomName(about) : room },
      writer: operator.writerOf(room),
      written: written && { node: written.node, batch: told(written.batch) },
      memory: traces.map(({ node, answer, problem }) =>
        answer ? { node, since: iso(answer.since) } : { node, problem },
      ),
      repeats,
      gateways,
      delivered: { count: delivered.count, usernames: delivered.users.map(nameOf) },
      read: { count: read.count, usernames: read.users.map(nameOf) },
      path: pathOf(message, written, repeats, gateways),
    };
  },
  show({ message, room, writer, written, memory, gateways, delivered, read, path }, paint) {
    const start = Date.parse(path[0]?.at ?? message.createdAt);
    const day = (at: string): string => at.slice(0, 10);
    const absent = gateways.flatMap(gateway => absence(gateway, message.offset) ?? []);
    return paragraphs(
      `${paint.bold(`message ${message.id}`)} in ${room.name}, ${day(path[0]?.at ?? message.createdAt)} (UTC)`,
      path
        .map(({ at, what }) => {
          const later = Date.parse(at) - start;
          const when = day(at) === day(path[0]?.at ?? at) ? clock(at) : `${day(at)} ${clock(at)}`;
          return `${paint.dim(when)}  ${paint.cyan(`+${later} ms`.padStart(9))}  ${what}`;
        })
        .join("\n"),
      written ? "" : paint.yellow(forgotten(memory)),
      absent.map(text => paint.yellow(text)).join("\n"),
      [marked("delivered to", delivered), marked("read by", read)].join("\n"),
      written && writer !== written.node ? paint.dim(`the room is written by ${writer ?? "nobody"} now`) : "",
    );
  },
});

/** Who settled an unknown write names all that stood there, others' entries too: who says plainly that he wrote it did. */
function writtenBy(traces: readonly Answer<{ batch: BatchTrace | null }>[]): Written | null {
  const found = traces.flatMap(({ node, answer }) => (answer?.batch ? [{ node, batch: answer.batch }] : []));
  return found.find(({ batch }) => !batch.settled) ?? found[0] ?? null;
}

const told = ({ queuedAt, writtenAt, committedAt, publishedAt, ...batch }: BatchTrace): Told => ({
  ...batch,
  queuedAt: iso(queuedAt),
  writtenAt: iso(writtenAt),
  committedAt: iso(committedAt),
  publishedAt: iso(publishedAt),
});

function forgotten(memory: Why["memory"]): string {
  if (memory.length === 0) return "there is no messages node; the path is what the log tells";
  const nodes = memory.map(({ node, since, problem }) =>
    since === undefined
      ? `${shortNode(node)} ${problem}`
      : `${shortNode(node)} since ${clock(since)} on ${since.slice(0, 10)}`,
  );
  return `no node remembers writing it (${list(nodes)}); the path is what the log tells`;
}

function marked(how: string, { count, usernames }: Marks): string {
  if (count === 0) return `${how} nobody else so far`;
  const more = count > usernames.length ? ` and ${count - usernames.length} more` : "";
  return `${how} ${count}: ${list(usernames)}${more}`;
}
