import type { RoomKind } from "../../services/core/model";
import { lineOf, usernameOf } from "./names";
import type { SourceItem, SourceMessage, SourcePerson } from "./source";

/** How what Slack exports looks here. Nothing is read and nothing kept: the same in gives the same out. */

export interface SlackUser {
  id: string;
  name?: string;
  real_name?: string;
  profile?: { email?: string; real_name?: string; display_name?: string };
}

export interface SlackChannel {
  id: string;
  name?: string;
  /** Seconds since 1970. */
  created?: number;
  creator?: string;
  members?: string[];
  topic?: { value?: string };
  purpose?: { value?: string };
  pins?: SlackPin[];
}

/** Of a message (`type` C) `id` is its `ts`. */
export interface SlackPin {
  id?: string;
  type?: string;
  /** Seconds since 1970. */
  created?: number;
  user?: string;
}

/** A message as a day's file holds it. Everything may be missing. */
export interface SlackMessage {
  type?: string;
  subtype?: string;
  ts?: string;
  user?: string;
  bot_id?: string;
  username?: string;
  bot_profile?: { name?: string };
  user_profile?: { name?: string; real_name?: string; display_name?: string };
  text?: string;
  thread_ts?: string;
  hidden?: boolean;
  edited?: { ts?: string };
  /** Ids of channels. */
  pinned_to?: string[];
  pinned_info?: { channel?: string; pinned_by?: string; pinned_ts?: number };
  reactions?: { name?: string; users?: string[]; count?: number }[];
  files?: SlackFile[];
  file?: SlackFile;
  attachments?: SlackAttachment[];
}

interface SlackFile {
  name?: string;
  title?: string;
  permalink?: string;
  url_private?: string;
  mode?: string;
}

interface SlackAttachment {
  pretext?: string;
  title?: string;
  title_link?: string;
  text?: string;
  fallback?: string;
  from_url?: string;
  original_url?: string;
}

/** In this order of files, each with the kind its rooms get. */
export const LISTS: readonly { file: string; kind: RoomKind; isPrivate: boolean }[] = [
  { file: "channels.json", kind: "channel", isPrivate: false },
  { file: "groups.json", kind: "channel", isPrivate: true },
  { file: "mpims.json", kind: "group", isPrivate: true },
  { file: "dms.json", kind: "direct", isPrivate: true },
];

/** Subtypes that somebody said; all others are notices of Slack itself. */
const SAID = new Set([
  "bot_message",
  "file_comment",
  "file_mention",
  "file_share",
  "me_message",
  "reply_broadcast",
  "slackbot_response",
  "thread_broadcast",
  "tombstone",
]);
/** Notices that are known to be nothing else. */
const NOTICE =
  /^(channel|group)_(join|leave|topic|purpose|name|archive|unarchive|convert_to_private|convert_to_public|posting_permissions)$|^(bot_add|bot_remove|bot_enable|bot_disable|pinned_item|unpinned_item|message_changed|message_deleted|message_replied|reminder_add|ekm_access_denied|huddle_thread|sh_room_created|joiner_notification|joiner_notification_for_inviter)$/;

/** The moment of a `ts`, in milliseconds; null if it is none. */
export function timeOf(ts: string | undefined): string | null {
  const [, seconds, fraction = ""] = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(ts ?? "") ?? [];
  if (seconds === undefined) return null;
  return new Date(Number(seconds) * 1_000 + Number(fraction.padEnd(3, "0").slice(0, 3))).toISOString();
}

export const keyOf = (channel: string, ts: string): string => `slack-${channel}-${ts.replace(".", "_")}`;

export function personOf(user: SlackUser): SourcePerson {
  const { id, name, real_name, profile = {} } = user;
  const displayName = lineOf(profile.real_name || real_name || profile.display_name, 64);
  return {
    key: id,
    username: usernameOf(name || profile.display_name || id.toLowerCase()),
    ...(profile.email && { email: profile.email }),
    ...(displayName !== undefined && { displayName }),
  };
}

/** Who sent it: a member of the workspace, a guest of another one, or a program; null where it does not say. */
export function senderOf({ user, bot_id, username, bot_profile, user_profile }: SlackMessage): SourcePerson | null {
  if (user !== undefined && user !== "")
    return personOf({ id: user, name: user_profile?.name ?? user.toLowerCase(), profile: user_profile ?? {} });
  const name = username || bot_profile?.name;
  if (bot_id === undefined && !name) return null;
  const displayName = lineOf(name, 64);
  return {
    key: `bot ${bot_id ?? name}`,
    username: usernameOf(name || (bot_id as string).toLowerCase()),
    ...(displayName !== undefined && { displayName }),
  };
}

type Pins = ReadonlyMap<string, SlackPin>;

/** Pinned messages of a channel by their `ts`. */
export const pinsOf = ({ pins = [] }: SlackChannel): Pins =>
  new Map(pins.filter(({ type, id }) => type === "C" && id !== undefined).map(pin => [pin.id as string, pin]));

/**
 * A message, or the reason why it is none.
 * @param nameOf user name of a member of the workspace
 */
export function messageOf(
  raw: SlackMessage,
  channel: string,
  nameOf: (user: string) => string,
  pins: Pins = new Map(),
): SourceItem {
  const { subtype, ts, thread_ts, edited } = raw;
  if (raw.type !== undefined && raw.type !== "message") return { skipped: `no message but ${named(raw.type)}` };
  if (subtype !== undefined && NOTICE.test(subtype)) return { skipped: `notice of Slack: ${subtype}` };
  if (subtype !== undefined && !SAID.has(subtype)) return { skipped: `unknown subtype: ${named(subtype)}` };
  if (raw.hidden === true && subtype !== "tombstone") return { skipped: "hidden" };
  const createdAt = timeOf(ts);
  if (createdAt === null || ts === undefined) return { skipped: "without a time" };
  const sender = senderOf(raw);
  if (!sender) return { skipped: "without a sender" };

  const deleted = subtype === "tombstone";
  const files = deleted ? [] : [...(raw.files ?? []), ...(raw.file ? [raw.file] : [])].map(fileOf);
  const text = deleted ? "" : textOf(raw, nameOf);
  if (text === "" && files.length === 0 && !deleted) return { skipped: "empty" };
  const editedAt = timeOf(edited?.ts);
  const { reactions, lost } = reactionsOf(raw);
  const pinned = deleted ? null : pinOf(raw, channel, pins.get(ts), createdAt);
  const threaded = thread_ts !== undefined && thread_ts !== ts;
  if (threaded && BROADCAST.has(subtype ?? "")) add(lost, "replies shown in the room too: in their thread alone", 1);
  const message: SourceMessage = {
    key: keyOf(channel, ts),
    sender: sender.key,
    text,
    createdAt,
    ...(editedAt !== null && !deleted && { editedAt }),
    // When it was deleted is not in the export.
    ...(deleted && { deletedAt: createdAt }),
    ...(threaded && { thread: keyOf(channel, thread_ts) }),
    ...(pinned && { pinned }),
    reactions: deleted ? [] : reactions,
    files,
    ...(Object.keys(lost).length > 0 && { lost }),
  };
  return { message };
}

/** Replies in a thread that were told to the room as well. Here a message is in one of the two. */
const BROADCAST = new Set(["thread_broadcast", "reply_broadcast"]);

/** Newer exports say it in the message, older ones in the list of channels; some not by whom, or when. */
function pinOf(
  { pinned_to = [], pinned_info = {} }: SlackMessage,
  channel: string,
  pin: SlackPin | undefined,
  createdAt: string,
): NonNullable<SourceMessage["pinned"]> | null {
  const told = pinned_info.channel === channel ? pinned_info : {};
  if (!pin && told.channel === undefined && !pinned_to.includes(channel)) return null;
  const by = pin?.user ?? told.pinned_by;
  return { ...(by && { by }), at: timeOf(String(pin?.created ?? told.pinned_ts)) ?? createdAt };
}

function textOf({ text = "", subtype, attachments = [] }: SlackMessage, nameOf: (user: string) => string): string {
  const said = plainText(text, nameOf);
  // What Slack shows of a link is no part of what was said.
  const cards = attachments.filter(({ from_url, original_url }) => !from_url && !original_url);
  const shown = cards.map(({ pretext, title, title_link, text: body, fallback }) =>
    [pretext, title && (title_link ? `${title} ${title_link}` : title), body || (title ? undefined : fallback)]
      .filter(Boolean)
      .map(part => plainText(part as string, nameOf))
      .join("\n"),
  );
  return [subtype === "me_message" ? `_${said}_` : said, ...shown].filter(Boolean).join("\n").toWellFormed();
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">" };
const unescaped = (text: string): string => text.replace(/&(amp|lt|gt);/g, (_, name: string) => ENTITIES[name] ?? "");

/** Slack's marks in a text as people read them. */
export const plainText = (text: string, nameOf: (user: string) => string): string =>
  text.replace(/<([^<>]*)>|&(?:amp|lt|gt);/g, (whole, inner: string | undefined) =>
    inner === undefined ? unescaped(whole) : markOf(inner, nameOf),
  );

function markOf(inner: string, nameOf: (user: string) => string): string {
  const bar = inner.indexOf("|");
  const target = unescaped(bar === -1 ? inner : inner.slice(0, bar));
  const label = bar === -1 ? "" : unescaped(inner.slice(bar + 1));
  if (/^@[UWB]/.test(target)) return `@${nameOf(target.slice(1))}`;
  if (/^#[CG]/.test(target)) return `#${label || target.slice(1)}`;
  if (target.startsWith("!subteam^")) return label || "@group";
  if (target.startsWith("!date^")) return label || target;
  if (target.startsWith("!")) return label || `@${target.slice(1)}`;
  const address = target.replace(/^mailto:/, "");
  return label === "" || label === address || label === target ? address : `${label} (${address})`;
}

function fileOf({ name, title, permalink, url_private }: SlackFile): { name: string; url?: string } {
  const url = withoutToken(permalink || url_private || "");
  return { name: lineOf(name || title, 200) ?? "file", ...(url !== null && { url }) };
}

/** Links in an export carry a token that opens every file of the workspace. */
function withoutToken(link: string): string | null {
  if (!URL.canParse(link)) return null;
  const url = new URL(link);
  url.searchParams.delete("t");
  return url.href;
}

/** Names of Slack whose emoji everybody has. All others stay short names. */
const EMOJI: Record<string, string> = {
  "+1": "👍",
  thumbsup: "👍",
  "-1": "👎",
  thumbsdown: "👎",
  heart: "❤️",
  tada: "🎉",
  joy: "😂",
  smile: "😄",
  eyes: "👀",
  fire: "🔥",
  rocket: "🚀",
  pray: "🙏",
  clap: "👏",
  raised_hands: "🙌",
  wave: "👋",
  white_check_mark: "✅",
  heavy_check_mark: "✔️",
  x: "❌",
  "100": "💯",
  thinking_face: "🤔",
};

function reactionsOf({ reactions = [] }: SlackMessage): Pick<SourceMessage, "reactions"> & { lost: Lost } {
  const found = new Map<string, Set<string>>();
  const lost: Lost = {};
  for (const { name = "", users = [], count = 0 } of reactions) {
    // A tone of skin follows the name.
    const bare = name.split("::", 1)[0] ?? "";
    const emoji = Object.hasOwn(EMOJI, bare) ? (EMOJI[bare] as string) : `:${bare.toLowerCase()}:`;
    if (!Object.hasOwn(EMOJI, bare) && !/^:[a-z0-9_+-]{1,32}:$/.test(emoji)) add(lost, "emoji of another name", 1);
    else found.set(emoji, new Set([...(found.get(emoji) ?? []), ...users]));
    if (count > users.length) add(lost, "reactions of people the export does not name", count - users.length);
  }
  return { reactions: [...found].map(([emoji, people]) => ({ emoji, people: [...people] })), lost };
}

type Lost = Record<string, number>;

const add = (lost: Lost, what: string, n: number): void => void (lost[what] = (lost[what] ?? 0) + n);

/** A word of the export as a report may show it. */
const named = (word: unknown): string => lineOf(String(word), 40) ?? "without a name";
