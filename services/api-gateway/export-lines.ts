import { setTimeout as pause } from "node:timers/promises";
import { timestamp, type Clock } from "../core/clock";
import {
  call,
  type ActionName,
  type Caller,
  type ExportedMember,
  type ParamsOf,
  type ReturnsOf,
} from "../core/contract";
import { publicError } from "../core/errors";
import type { Attachment, Message, Reaction } from "../core/model";

/** One version of what is written here; `config/import/` reads it. */
export const EXPORT_VERSION = 1;

/** What one page of each kind holds at most. */
const MESSAGES = 100;
const MEMBERS = 500;
const REACTIONS = 5_000;
/** Milliseconds after which the right to export is looked at anew. */
const GRANT_TTL = 5_000;
/** Tries of one page, and milliseconds before the second one, doubled each time: a node that restarts ends no export. */
const TRIES = 5;
const PAUSE = 200;

export interface ExportRequest {
  id: string;
  /** Attachments get links that open for a short time. */
  links: boolean;
  /** Who asks; links are his. */
  user: string;
}

/** Asks page after page; nothing is held beyond the one that is being written. */
class Pages {
  private grantedAt = -Infinity;

  constructor(
    private readonly via: Caller,
    private readonly clock: Clock,
  ) {}

  async ask<N extends ActionName>(action: N, params: ParamsOf<N>): Promise<ReturnsOf<N>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(this.via, action, params);
      } catch (error) {
        const { code } = publicError(error);
        if (attempt === TRIES || (code !== "UNAVAILABLE" && code !== "UNKNOWN_OUTCOME")) throw error;
        await pause(PAUSE * 2 ** (attempt - 1));
      }
    }
  }

  /** What the owner of the data says of whoever asks; unless he has said it a moment ago, then null. */
  async granted<N extends ActionName>(action: N, params: ParamsOf<N>): Promise<ReturnsOf<N> | null> {
    const now = this.clock.monotonic();
    if (now - this.grantedAt < GRANT_TTL) return null;
    const grant = await this.ask(action, params);
    this.grantedAt = now;
    return grant;
  }
}

const line = (type: string, fields: object): string => `${JSON.stringify({ type, ...fields })}\n`;
/** A JSON object with its type in front. */
const typed = (type: string, json: string): string => `{"type":${JSON.stringify(type)},${json.slice(1)}\n`;

/** A room: who is and was in it, and its messages up to the head that the first line names. Rejects before that if refused. */
export async function* roomLines(
  via: Caller,
  clock: Clock,
  { id, links, user }: ExportRequest,
): AsyncGenerator<string> {
  const pages = new Pages(via, clock);
  const grant = (): Promise<ReturnsOf<"rooms.exported"> | null> => pages.granted("rooms.exported", { id });
  const { room, visibleFrom, emails } = (await grant()) as ReturnsOf<"rooms.exported">;
  const { heads } = await pages.ask("messages.heads", { rooms: [id] });
  const { offset = 0, seq = 0 } = heads[id] ?? {};
  yield line("export", {
    ...{ version: EXPORT_VERSION, kind: "room", room },
    ...{ exportedAt: timestamp(clock), head: { offset, seq } },
  });

  let members = 0;
  for (let after = ""; ;) {
    const page = await pages.ask("rooms.exportMembers", { room: id, after, limit: MEMBERS });
    const told = await people(pages, page, emails);
    for (const member of page) yield line("member", told(member));
    members += page.length;
    after = page.at(-1)?.user ?? "";
    if (page.length < MEMBERS) break;
    await grant();
  }

  let messages = 0;
  for (let after = 0, more = seq > 0; more;) {
    const page = await pages.ask("messages.exportPage", { room: id, after, upTo: seq, visibleFrom, limit: MESSAGES });
    for (const { data, cut } of page.items) {
      const whole = cut ? await withAllReactions(pages, data) : data;
      yield typed("message", links ? await withLinks(pages, whole, user) : whole);
    }
    messages += page.items.length;
    after = page.items.at(-1)?.seq ?? seq;
    more = page.more && after < seq;
    await grant();
  }
  yield line("end", { messages, members });
}

/** What is kept of a person, and nothing of others but what is in his own messages. */
export async function* personLines(
  via: Caller,
  clock: Clock,
  { id, links, user }: ExportRequest,
): AsyncGenerator<string> {
  const pages = new Pages(via, clock);
  const grant = (): Promise<ReturnsOf<"users.personal"> | null> => pages.granted("users.personal", { id });
  const { status: _, ...profile } = (await grant()) as ReturnsOf<"users.personal">;
  yield line("export", { version: EXPORT_VERSION, kind: "person", user: profile, exportedAt: timestamp(clock) });

  const counts = { sessions: 0, memberships: 0, messages: 0, reactions: 0, files: 0 };
  for (const { user: _user, expiresAt, ...session } of await pages.ask("auth.sessions", { user: id })) {
    counts.sessions++;
    yield line("session", { ...session, expiresAt: new Date(expiresAt).toISOString() });
  }
  for (let after = ""; ;) {
    const page = await pages.ask("rooms.exportMemberships", { user: id, after, limit: MEMBERS });
    for (const { room, user: _user, ...membership } of page) {
      counts.memberships++;
      yield line("membership", { roomId: room, ...membership });
      yield line("mark", { roomId: room, ...(await pages.ask("messages.exportMarks", { room, user: id })) });
      for (let next: string | null = ""; next !== null;) {
        const own: ReturnsOf<"messages.exportOwn"> = await pages.ask("messages.exportOwn", {
          ...{ room, user: id, after: next, limit: MESSAGES },
        });
        for (const entry of own.items) {
          if (entry.type === "reaction") {
            counts.reactions++;
            yield line("reaction", { roomId: room, messageId: entry.messageId, emoji: entry.emoji });
          } else {
            counts.messages++;
            yield typed("message", links ? await withLinks(pages, entry.data, user) : entry.data);
          }
        }
        next = own.next;
        await grant();
      }
    }
    after = page.at(-1)?.room ?? "";
    if (page.length < MEMBERS) break;
  }
  for (let after = ""; ;) {
    const page = await pages.ask("files.exportOwn", { user: id, after, limit: MEMBERS });
    const signed = links && page.length > 0 ? await pages.ask("files.sign", { user, ids: page.map(f => f.id) }) : {};
    for (const file of page) yield line("file", { ...file, ...(signed[file.id] && { link: signed[file.id] }) });
    counts.files += page.length;
    after = page.at(-1)?.id ?? "";
    if (page.length < MEMBERS) break;
  }
  yield line("end", counts);
}

/** Members as lines show them; of a removed account there is no name. */
async function people(
  pages: Pages,
  members: readonly ExportedMember[],
  emails: boolean,
): Promise<(member: ExportedMember) => object> {
  const ids = members.map(({ user }) => user);
  const [named, mailed] = await Promise.all([
    ids.length > 0 ? pages.ask("users.names", { ids }) : [],
    ids.length > 0 && emails ? pages.ask("users.emails", { ids }) : [],
  ]);
  const names = new Map(named.map(({ id, username }) => [id, username]));
  const addresses = new Map(mailed.map(({ id, email }) => [id, email]));
  return ({ user, role, state, joinedAt }) => ({
    userId: user,
    ...(names.has(user) && { username: names.get(user) }),
    ...(addresses.has(user) && { email: addresses.get(user) }),
    ...{ role, state, joinedAt },
  });
}

/** Everybody who reacted, where a message names the first only. */
async function withAllReactions(pages: Pages, data: string): Promise<string> {
  const message = JSON.parse(data) as Message;
  const byEmoji = new Map<string, string[]>();
  for (let skip = 0, more = true; more; skip += REACTIONS) {
    const params = { room: message.channelId, offset: message.offset, skip, limit: REACTIONS };
    const page = await pages.ask("messages.exportReactions", params);
    for (const { emoji, user } of page) {
      const users = byEmoji.get(emoji) ?? [];
      users.push(user);
      byEmoji.set(emoji, users);
    }
    more = page.length === REACTIONS;
  }
  const reactions = [...byEmoji].map(([emoji, users]): Reaction => ({ emoji, count: users.length, users }));
  return JSON.stringify({ ...message, ...(reactions.length > 0 && { reactions }) });
}

async function withLinks(pages: Pages, data: string, user: string): Promise<string> {
  if (!data.includes('"attachments":[{')) return data;
  const message = JSON.parse(data) as Message;
  const links = await pages.ask("files.sign", { user, ids: message.attachments.map(({ id }) => id) });
  const attachments = message.attachments.map((file: Attachment) => ({ ...file, link: links[file.id] }));
  return JSON.stringify({ ...message, attachments });
}
