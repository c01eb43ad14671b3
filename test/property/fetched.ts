import type { Member, Message, Unread } from "../../services/core/model";
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

/** The ways to read a history to its end, by name. */
export const STYLES = {
  async page(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (let page = 1; ; page += 1) {
      const { items, total } = await got(rest, `${path}/messages?page=${page}&pageSize=${PAGE}`);
      all.unshift(...items);
      if (items.length === 0 || all.length >= total) return all;
    }
  },
  async before(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (let query = ""; ; query = `&before=${all[0]?.seq}`) {
      const { items, hasBefore } = await got(rest, `${path}/messages?limit=${PAGE}${query}`);
      all.unshift(...items);
      if (!hasBefore) return all;
    }
  },
  async after(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (;;) {
      const { items, hasAfter } = await got(rest, `${path}/messages?limit=${PAGE}&after=${all.at(-1)?.seq ?? 0}`);
      all.push(...items);
      if (!hasAfter) return all;
    }
  },
  async around(rest: Rest, path: string): Promise<Message[]> {
    const all: Message[] = [];
    for (let middle = 1; ; middle = (all.at(-1)?.seq ?? 0) + 1) {
      const { items, hasAfter } = await got(rest, `${path}/messages?limit=${PAGE}&around=${middle}`);
      const known = all.at(-1)?.seq ?? 0;
      all.push(...(items as Message[]).filter(({ seq }) => seq > known));
      if (!hasAfter) return all;
    }
  },
} satisfies Record<string, (rest: Rest, path: string) => Promise<Message[]>>;

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
    if (what === "messages") return { ...NOTHING, messages: await STYLES[style](rest, path) };
    const [messages, members, settings, unread] = await Promise.all([
      STYLES[style](rest, path),
      got(rest, `${path}/members?pageSize=${ALL}`) as Promise<{ items: Member[] }>,
      got(rest, path),
      fetchUnread(rest, room),
    ]);
    return { messages, members: members.items, room: settings, unread };
  } catch (error) {
    if (error instanceof Hidden) return null;
    throw error;
  }
}

const NOTHING: Fetched = { messages: [], members: [], room: null, unread: null };

export async function fetchUnread(rest: Rest, room: string): Promise<Unread | null> {
  const { items } = (await got(rest, "/api/unread")) as { items: Unread[] };
  return items.find(({ roomId }) => roomId === room) ?? null;
}
