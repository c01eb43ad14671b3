/** Messages kept of a room; older ones are read again when somebody scrolls to them. */
const KEEP = 300;

/** One room as this page knows it: its place in the log, a run of messages up to the newest, marks, and what is being sent. */
export class Room {
  /** Place in the log up to which events were applied; null while not subscribed. */
  offset = null;
  /** Loaded messages, oldest first, without a hole up to the newest. */
  messages = [];
  loaded = false;
  loading = false;
  hasBefore = true;
  lastSeq = 0;
  readSeq = 0;
  unread = 0;
  mentions = 0;
  /** What was read when the room was opened: new messages are marked from here. */
  dividerSeq = null;
  /** Sends on their way: `{clientId, text, attachments, createdAt, state: "waiting" | "stored" | "failed", reason?}`. */
  pending = [];
  typing = new Map();
  /** Time of the last message that arrived while we looked or not; sorts conversations. */
  lastAt = "";
  #during = [];

  /** @param info a Channel or Conversation of REST; @param me our own user id */
  constructor(info, me) {
    this.id = info.id;
    this.me = me;
    this.update(info);
  }

  update(info) {
    this.info = { ...this.info, ...info };
    this.kind = this.info.type ?? "channel";
    this.member = this.kind !== "channel" || this.info.role !== null;
  }

  /** Forgets the messages: they are read anew. */
  forget() {
    this.#during = [];
    Object.assign(this, { messages: [], loaded: false, loading: false, hasBefore: true });
  }

  trim() {
    if (this.messages.length <= KEEP) return;
    this.messages.splice(0, this.messages.length - KEEP);
    this.hasBefore = true;
  }

  /** History before what is there. What happened while it was read is applied on top. */
  prepend({ items, hasBefore }) {
    this.loading = false;
    this.loaded = true;
    this.hasBefore = hasBefore;
    for (const message of items) {
      if (!this.find(message.id)) this.put(message);
      this.settle(message);
    }
    for (const event of this.#during.splice(0)) this.#changed(event);
  }

  find(id) {
    return this.messages.find(message => message.id === id);
  }

  put(message) {
    let at = this.messages.length;
    while (at > 0 && this.messages[at - 1].seq > message.seq) at--;
    if (this.messages[at - 1]?.seq === message.seq) this.messages[at - 1] = message;
    else this.messages.splice(at, 0, message);
  }

  /** Ends the pending send that became this message. */
  settle({ senderId, clientId }) {
    if (senderId === this.me) this.pending = this.pending.filter(item => item.clientId !== clientId);
  }

  /**
   * Applies the next event of the log. Returns `old` for one that was applied before, `gap` when one is missing, else
   * `next`.
   */
  apply(event) {
    if (this.offset === null || event.offset <= this.offset) return "old";
    if (event.offset !== this.offset + 1) return "gap";
    this.offset = event.offset;
    if (this.loading) this.#during.push(event);
    if (event.kind === "message") this.#arrived(event.data);
    else this.#change(event);
    return "next";
  }

  #arrived(message) {
    const fresh = message.seq > this.lastSeq;
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    this.lastAt = message.createdAt;
    this.settle(message);
    this.typing.delete(message.senderId);
    if (this.loaded || this.loading) this.put(message);
    // Replies in threads count there alone.
    if (message.threadId) return;
    if (message.senderId === this.me) this.read(message.seq);
    else if (fresh && this.member && message.seq > this.readSeq && !message.deletedAt) {
      this.unread++;
      if (message.mentions?.includes(this.me)) this.mentions++;
    }
  }

  #change(event) {
    const { kind, data } = event;
    this.#changed(event);
    const counted = data.senderId !== this.me && data.seq > this.readSeq && !data.threadId;
    if (kind === "delete" && counted && this.unread > 0) this.unread--;
    else if (kind === "room") this.update(data);
    else if (kind === "member") this.#memberChanged(data);
  }

  #memberChanged({ userId, change, role }) {
    const ends = ["leave", "remove", "ban"].includes(change);
    if (!ends && !["join", "role"].includes(change)) return;
    const difference = ends ? -1 : change === "join" ? 1 : 0;
    const { memberCount, members } = this.info;
    if (memberCount !== undefined) this.update({ memberCount: memberCount + difference });
    if (members && difference !== 0) {
      const others = members.filter(id => id !== userId);
      this.update({ members: ends ? others : [...others, userId] });
    }
    if (userId === this.me && this.kind === "channel") this.update({ role: ends ? null : (role ?? "member") });
  }

  /** What changes a message that is loaded; repeating it in order changes nothing. */
  #changed({ kind, data }) {
    if ((kind === "edit" || kind === "delete") && this.find(data.id)) this.put(data);
    const message = kind === "reaction" && this.find(data.messageId);
    if (message) this.put({ ...message, reactions: reacted(message.reactions ?? [], data) });
  }

  /** Typing ends by itself after six seconds, and when a message comes. */
  types(user, on, ended) {
    clearTimeout(this.typing.get(user));
    this.typing.delete(user);
    const end = () => {
      this.typing.delete(user);
      ended();
    };
    if (on) this.typing.set(user, setTimeout(end, 6_000));
  }

  /** The read mark, which never goes back. */
  read(seq) {
    if (seq <= this.readSeq) return;
    this.readSeq = seq;
    if (seq >= this.lastSeq) this.unread = this.mentions = 0;
  }

  /** What the server counted, unless we know of later messages than it did. */
  counted({ unread, mentions, lastSeq, readSeq }) {
    if (lastSeq < this.lastSeq) return false;
    Object.assign(this, { unread, mentions, lastSeq, readSeq: Math.max(readSeq, this.readSeq) });
    if (this.readSeq >= lastSeq) this.unread = this.mentions = 0;
    return true;
  }
}

/** Reactions after one more change. May be repeated: a replayed message already shows what came later. */
function reacted(reactions, { userId, emoji, on }) {
  const others = reactions.filter(reaction => reaction.emoji !== emoji);
  const { count = 0, users = [] } = reactions.find(reaction => reaction.emoji === emoji) ?? {};
  if (users.includes(userId) === on) return reactions;
  const now = {
    emoji,
    count: count + (on ? 1 : -1),
    users: on ? [...users, userId] : users.filter(id => id !== userId),
  };
  if (now.count <= 0) return others;
  return count === 0 ? [...others, now] : reactions.map(reaction => (reaction.emoji === emoji ? now : reaction));
}
