import type { Member, Message, OpenedRoom, Thread, Unread } from "../../services/core/model";
import type { Answer as HttpAnswer, Body, Rest } from "../support/rest";
import { refused, UNKNOWN, type Answer } from "./lines/line";
import type { Fetched } from "./model";

/** Of a page: few, so that a short history has several. */
const PAGE = 7;
const ALL = 100;

/** A request over REST as an outcome. */
export async function restOf(
  rest: Rest,
  { method, path, body }: { method: string; path: string; body?: unknown },
): Promise<Answer> {
  let answer: HttpAnswer;
  try {
    answer = await rest.request(method, path, body);
  } catch {
    return UNKNOWN;
  }
  if (answer.status < 300) return { state: "ok", body: answer.body };
  return typeof answer.body?.code === "string" ? refused(answer.body.code) : UNKNOWN;
}

/** It is not for him. */
class Hidden extends Error {}

async function got(rest: Rest, path: string): Promise<Body> {
  const { status, body } = await rest.get(path);
  if (status === 404 || status === 403) throw new Hidden();
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
  return body;
}

/**
 * The ways to read a history to its end, by name. Where all of a page is out of sight, the numbers say where the next begins.
 */
export const STYLES = {
  async page(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (let page = 1; ; page += 1) {
      const { items, total } = await got(rest, `${path}/messages?page=${page}&pageSize=${PAGE}`);
      all.unshift(...items);
      if (page * PAGE >= total) return all;
    }
  },
  async before(rest: Rest, path: string, lastSeq: number): Promise<Message[]> {
    const all: Message[] = [];
    let from = lastSeq + 1;
    for (let query = ""; ; query = `&before=${from}`) {
      const { items, hasBefore } = await got(rest, `${path}/messages?limit=${PAGE}${query}`);
      all.unshift(...items);
      if (!hasBefore) return all;
      from = (items as Message[])[0]?.seq ?? from - PAGE;
    }
  },
  async after(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (let from = 0; ;) {
      const { items, hasAfter } = await got(rest, `${path}/messages?limit=${PAGE}&after=${from}`);
      all.push(...items);
      if (!hasAfter) return all;
      from = (items as Message[]).at(-1)?.seq ?? from + PAGE;
    }
  },
  async around(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (let middle = 1; ;) {
      const { items, hasAfter } = await got(rest, `${path}/messages?limit=${PAGE}&around=${middle}`);
      const known = all.at(-1)?.seq ?? 0;
      const more = (items as Message[]).filter(({ seq }) => seq > known);
      all.push(...more);
      if (!hasAfter) return all;
      middle = (more.at(-1)?.seq ?? middle) + 1;
    }
  },
} satisfies Record<string, (rest: Rest, path: string, lastSeq: number) => Promise<Message[]>>;

export type Style = keyof typeof STYLES;

/** What is so now; null: it is not for him. @param path of the room */
export async function fetchRoom(
  rest: Rest,
  path: string,
  room: string,
  style: Style,
  what: "everything" | "messages" = "everything",
): Promise<Fetched | null> {
  try {
    const { offset, seq } = (await got(rest, `${path}/open?limit=1`)) as OpenedRoom;
    const head = { offset, seq };
    if (what === "messages") return { ...NOTHING, head, messages: await STYLES[style](rest, path, seq) };
    const [messages, members, settings, unread, pins, threads, rooms] = await Promise.all([
      STYLES[style](rest, path, seq),
      got(rest, `${path}/members?pageSize=${ALL}`) as Promise<{ items: Member[] }>,
      got(rest, path),
      got(rest, "/api/unread") as Promise<{ items: Unread[] }>,
      got(rest, `${path}/pins`) as Promise<{ items: Message[] }>,
      got(rest, `${path}/threads?pageSize=${ALL}`) as Promise<{ items: Thread[] }>,
      got(rest, "/api/rooms") as Promise<{ items: { room: { id: string } }[] }>,
    ]);
    return {
      head,
      messages,
      members: members.items,
      room: settings,
      unread: unread.items.find(({ roomId }) => roomId === room) ?? null,
      pins: pins.items,
      threads: threads.items,
      rooms: rooms.items.map(one => one.room.id),
    };
  } catch (error) {
    if (error instanceof Hidden) return null;
    throw error;
  }
}

const NOTHING: Fetched = {
  head: { offset: 0, seq: 0 },
  messages: [],
  members: [],
  room: null,
  unread: null,
  pins: [],
  threads: [],
  rooms: [],
};
