import type { Attachment, Message, MessageVersion, Reaction } from "../core/model";
import type { Pages } from "./export-pages";

/** Reactions of one page at most. */
const REACTIONS = 5_000;

/** What is wanted of a message beside what it says of itself. */
export interface Wanted {
  /** Not all who reacted are named in it. */
  cut?: boolean;
  /** Whose earlier versions, besides those of `by`; `kept`: of all, and what deletions under a hold have kept. */
  versions: "kept" | "all" | "own";
  by: string;
  /** Attachments get links, which are of who asks. */
  links: string | null;
}

/** A message as its line shows it, as JSON text. Most are left as they came: looking for what they need is cheap. */
export async function shownMessage(pages: Pages, data: string, { cut, versions, by, links }: Wanted): Promise<string> {
  const edited = data.includes('"editedAt":') || (versions === "kept" && data.includes('"deletedAt":'));
  const linked = links !== null && data.includes('"attachments":[{');
  if (!cut && !edited && !linked) return data;
  let message = JSON.parse(data) as Message & { versions?: MessageVersion[] };
  if (cut) message = { ...message, ...(await allReactions(pages, message)) };
  if (edited && (versions !== "own" || message.senderId === by)) {
    const before = await allVersions(pages, message);
    if (before.length > 0) message = { ...message, versions: before };
  }
  if (linked) message = { ...message, attachments: await withLinks(pages, message, links) };
  return JSON.stringify(message);
}

/** Everybody who reacted, where a message names the first only. */
async function allReactions(pages: Pages, { channelId, offset }: Message): Promise<Pick<Message, "reactions">> {
  const byEmoji = new Map<string, string[]>();
  for (let skip = 0, more = true; more; skip += REACTIONS) {
    const page = await pages.ask("messages.exportReactions", { room: channelId, offset, skip, limit: REACTIONS });
    for (const { emoji, user } of page) {
      const users = byEmoji.get(emoji) ?? [];
      users.push(user);
      byEmoji.set(emoji, users);
    }
    more = page.length === REACTIONS;
  }
  const reactions = [...byEmoji].map(([emoji, users]): Reaction => ({ emoji, count: users.length, users }));
  return reactions.length > 0 ? { reactions } : {};
}

async function allVersions(pages: Pages, { channelId, offset }: Message): Promise<MessageVersion[]> {
  const all: MessageVersion[] = [];
  for (let more = true; more;) {
    const page = await pages.ask("messages.exportVersions", { room: channelId, offset, skip: all.length });
    all.push(...page.items.map(version => JSON.parse(version) as MessageVersion));
    more = page.more;
  }
  return all;
}

async function withLinks(pages: Pages, { attachments }: Message, user: string): Promise<Attachment[]> {
  const links = await pages.ask("files.sign", { user, ids: attachments.map(({ id }) => id) });
  return attachments.map(file => ({ ...file, link: links[file.id] }));
}
