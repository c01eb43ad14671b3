import { timestamp, type Clock } from "../core/clock";
import { ASIDE, type Aside, type AsideEntry, type Caller, type ExportedMember, type ReturnsOf } from "../core/contract";
import { shownMessage } from "./export-messages";
import { Pages } from "./export-pages";

/** One version of what is written here; `config/import/` reads it. */
export const EXPORT_VERSION = 1;

/** What one page of each kind holds at most. */
const MESSAGES = 100;
const MEMBERS = 500;
const ASIDE_ENTRIES = 500;

export interface ExportRequest {
  id: string;
  /** Attachments get links that open for a short time. */
  links: boolean;
  /** Who asks; links are his. */
  user: string;
  /** What else was asked for. */
  query?: Readonly<Record<string, string>>;
}

export const line = (type: string, fields: object): string => `${JSON.stringify({ type, ...fields })}\n`;
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
  const { room, visibleFrom, versions, kept, emails } = (await grant()) as ReturnsOf<"rooms.exported">;
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
    for (const { data, cut = false } of page.items) {
      const whose = kept ? "kept" : versions ? "all" : "own";
      const wanted = { cut, versions: whose, by: user, links: links ? user : null } as const;
      yield typed("message", await shownMessage(pages, data, wanted));
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

  const counts = { sessions: 0, memberships: 0, messages: 0, reactions: 0, threads: 0, hidden: 0, files: 0 };
  const wanted = { versions: "own", by: id, links: links ? user : null } as const;
  for (const { user: _user, expiresAt, ...session } of await pages.ask("auth.sessions", { user: id })) {
    counts.sessions++;
    yield line("session", { ...session, expiresAt: new Date(expiresAt).toISOString() });
  }
  const { preferences, friends, blocks } = await pages.ask("users.exportRelations", { user: id });
  yield line("preferences", preferences);
  for (const { user: userId, since } of friends) yield line("friend", { userId, since });
  for (const { user: userId, since } of blocks) yield line("block", { userId, since });
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
            yield typed("message", await shownMessage(pages, entry.data, wanted));
          }
        }
        next = own.next;
        await grant();
      }
    }
    after = page.at(-1)?.room ?? "";
    if (page.length < MEMBERS) break;
  }
  for (const what of ASIDE)
    for (let after: AsideEntry | undefined, more = true; more;) {
      const page: AsideEntry[] = await pages.ask("messages.exportAside", {
        ...{ user: id, what, limit: ASIDE_ENTRIES },
        ...(after && { after: { room: after.room, seq: after.seq } }),
      });
      counts[what] += page.length;
      for (const entry of page) yield asideLine(what, entry);
      after = page.at(-1);
      more = page.length === ASIDE_ENTRIES;
      await grant();
    }
  for (let after = ""; ;) {
    const page = await pages.ask("files.exportOwn", { user: id, after, limit: MEMBERS });
    const signed = links && page.length > 0 ? await pages.ask("files.sign", { user, ids: page.map(f => f.id) }) : {};
    for (const file of page) yield line("file", { ...file, ...(signed[file.id] && { link: signed[file.id] }) });
    counts.files += page.length;
    after = page.at(-1)?.id ?? "";
    if (page.length < MEMBERS) break;
  }
  yield line("end", { ...counts, friends: friends.length, blocks: blocks.length });
}

/** By id where there still is such a message, and by number: nothing of what others said. */
function asideLine(what: Aside, { room, id, seq, read }: AsideEntry): string {
  if (what === "threads")
    return line("thread", { roomId: room, ...(id !== null && { threadId: id }), root: seq, read });
  return line("hidden", { roomId: room, ...(id !== null && { messageId: id }), seq });
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
