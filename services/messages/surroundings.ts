import { timestamp } from "../core/clock";
import type { RoomAccess, RoomRules } from "../core/contract";
import { within } from "../core/deadline";
import { RookeryError } from "../core/errors";
import type { Attachment, Message } from "../core/model";
import { browses, moderates } from "../core/permissions";
import { asRefusal, deletes, filesOf, messagesOf, pinning, reacts, targetOf, type Job } from "./job";
import { memberOf } from "./member-entry";
import { ALL, HERE, namesMentioned } from "./mentions";
import { mutedUntil } from "./mutes";
import { EVERYBODY, type Entry, type StoredMessage } from "./message.store";
import type { WriterDependencies } from "./room-writer";
import { SlowMode } from "./slow-mode";

/** What the decisions about a batch rest on; where loading was refused, the refusal. */
export interface Loaded {
  access: Map<string, RoomAccess | RookeryError>;
  targets: Map<string, StoredMessage>;
  reactions: Map<number, { emoji: string; user: string }[]>;
  files: Map<Job, Attachment[] | RookeryError>;
  /** Members of the room by lower-case user name, of those the batch mentions. */
  members: Map<string, string>;
  /** Some of the names could not be asked for: they may be somebody's. */
  unknownNames: boolean;
  /** Those for whom `@here` stands; null where nobody who may asked, or it cannot be found out. */
  here: readonly string[] | null;
  rules: RoomRules | RookeryError;
  slow: SlowMode;
  /** Messages that are pinned. */
  pins: number;
  /** Whether the room is on hold; asked where something is deleted. */
  hold: boolean | RookeryError;
}

/** Milliseconds a membership is believed without being asked again; entries of the log change it at once. */
const ACCESS_TTL = 30_000;

/** Messages that tell who must wait in slow mode: read at a time, and at most. */
const RECENT = { page: 200, all: 10_000 };
/** Where nothing is asked of a room, since services write there. */
export const OPEN: RoomRules = { kind: "channel", mode: "open", slowMode: 0 };

/** Members remembered in one room; who was asked for first is forgotten first. */
const MEMBERS = 10_000;
/**
 * Milliseconds that other services have for all that a batch asks of them, so that what waits behind one that waited is still
 * answered before its deadline: one hanging service makes a room slow, and never stops it.
 */
const PATIENCE = 2_000;
/** Of these, for names: who they name is then asked for too. */
const NAMES = 700;

/** Brings together what the decisions of one room need, and remembers who its members are. */
export class Surroundings {
  private readonly members = new Map<string, { access: RoomAccess; at: number }>();
  private rules: { rules: RoomRules; at: number } | null = null;
  private readonly slow: SlowMode;
  /** Counts what makes an answer that is on its way too old to be believed for longer. */
  private asksAnew = 0;

  constructor(
    private readonly room: string,
    private readonly with_: WriterDependencies,
  ) {
    this.slow = new SlowMode(with_.clock);
  }

  /** Asks for all that the decisions need, at once; what was refused is kept as the refusal. */
  async load(jobs: readonly Job[]): Promise<Loaded> {
    const until = this.with_.clock.monotonic() + PATIENCE;
    const loaded: Loaded = {
      access: new Map(),
      targets: new Map(),
      reactions: new Map(),
      files: new Map(),
      members: new Map(),
      unknownNames: false,
      here: null,
      rules: OPEN,
      slow: this.slow,
      pins: 0,
      hold: false,
    };
    const users = new Map(jobs.flatMap(({ request: { user } }) => (user ? [[user.id, browses(user)] as const] : [])));
    const targets = new Set(jobs.flatMap(({ request }) => messagesOf(request)));
    const names = new Set(jobs.flatMap(({ request }) => namesIn(request)));
    for (const name of [ALL, HERE]) names.delete(name);
    const pins = jobs.some(({ request }) => pinning(request));
    const rules = users.size > 0 ? this.findRules(loaded, until) : undefined;
    const access = new Map(
      [...users].map(([user, looksAround]) => [
        user,
        this.accessOf(user, looksAround, until).then(found => loaded.access.set(user, found)),
      ]),
    );
    const accessTo = ({ request }: Job) => access.get(request.user?.id ?? "");
    const withFiles = jobs.filter(({ request }) => filesOf(request).length > 0);
    const callers = jobs.filter(({ request }) => namesIn(request).includes(HERE));
    const [found] = await Promise.all([
      targets.size > 0 ? this.with_.store.byIds([...targets]) : [],
      rules,
      ...access.values(),
      names.size > 0 ? this.findMembers([...names], loaded, until) : undefined,
      pins ? this.with_.store.pins(this.room).then(all => (loaded.pins = all.length)) : undefined,
      jobs.some(({ request }) => deletes(request)) ? this.findHold(loaded, until) : undefined,
      // For those alone who may: others must not make a file this room's, nor its members be counted.
      ...withFiles.map(async job => {
        await Promise.all([rules, accessTo(job)]);
        loaded.files.set(job, await this.attach(job, loaded, until));
      }),
      callers.length > 0
        ? Promise.all([rules, ...callers.map(accessTo)]).then(() => this.findOnline(callers, loaded))
        : undefined,
    ]);
    for (const message of found) if (message.room === this.room) loaded.targets.set(message.id, message);
    const reacted = jobs.flatMap(({ request }) =>
      reacts(request) ? (loaded.targets.get(targetOf(request) ?? "")?.offset ?? []) : [],
    );
    await Promise.all(
      [...new Set(reacted)].map(async offset =>
        loaded.reactions.set(offset, await this.with_.store.reactions(this.room, offset)),
      ),
    );
    return loaded;
  }

  /** The two may not be to each other what they were: of a direct room of theirs it is asked anew. */
  askAnew(users: readonly string[]): void {
    this.asksAnew++;
    // Of who has just come it is not known here what kind of room this is.
    for (const user of users)
      if ((this.members.get(user)?.access.kind ?? "direct") === "direct") this.members.delete(user);
  }

  private remember(user: string, access: RoomAccess, at: number): void {
    this.members.delete(user);
    this.members.set(user, { access, at });
    const [oldest] = this.members.keys();
    if (this.members.size > MEMBERS && oldest !== undefined) this.members.delete(oldest);
  }

  private async accessOf(user: string, looksAround: boolean, until: number): Promise<RoomAccess | RookeryError> {
    const now = this.with_.clock.monotonic();
    const known = this.members.get(user);
    if (known && now - known.at < ACCESS_TTL) return known.access;
    const { asksAnew } = this;
    try {
      const access = await within(until - now, this.with_.access(user, this.room, looksAround));
      // Only membership is kept: a refusal may end by the next entry, and asking again is then right.
      const member = !access.denied && access.role !== null;
      if (member && (access.kind !== "direct" || asksAnew === this.asksAnew)) this.remember(user, access, now);
      else this.members.delete(user);
      return access;
    } catch (error) {
      return asRefusal(error);
    }
  }

  private async findRules(loaded: Loaded, until: number): Promise<void> {
    const now = this.with_.clock.monotonic();
    if (!this.rules || now - this.rules.at >= ACCESS_TTL)
      try {
        const rules = await within(until - now, this.with_.rules(this.room));
        this.rules = rules && { rules, at: now };
      } catch (error) {
        loaded.rules = asRefusal(error);
        return;
      }
    loaded.rules = this.rules?.rules ?? new RookeryError("NOT_FOUND");
    if (this.rules?.rules.slowMode && !this.slow.known) await this.learnWhoSent(this.rules.rules.slowMode);
  }

  /** Reads back until all that is read is older than slow mode asks for. */
  private async learnWhoSent(seconds: number): Promise<void> {
    this.slow.known = true;
    const since = this.with_.clock.now() - seconds * 1_000;
    let before: number | undefined;
    for (let read = 0; read < RECENT.all; read += RECENT.page) {
      const page = await this.with_.store.window(this.room, { before, limit: RECENT.page, visibleFrom: 0 });
      const messages = page.map(({ data }) => JSON.parse(data) as Message);
      this.slow.learn(messages);
      before = page[0]?.seq;
      // What was brought from elsewhere is old wherever it stands.
      if (page.length < RECENT.page || messages.every(({ createdAt }) => Date.parse(createdAt) < since)) return;
    }
  }

  /** Asked anew each time: what a hold begins with is that nothing is lost any more. */
  private async findHold(loaded: Loaded, until: number): Promise<void> {
    try {
      loaded.hold = await within(until - this.with_.clock.monotonic(), this.with_.held(this.room));
    } catch (error) {
      loaded.hold = asRefusal(error);
    }
  }

  /** While it cannot be found out who is there, `@here` is text. */
  private async findOnline(callers: readonly Job[], loaded: Loaded): Promise<void> {
    if (!callers.some(job => callsAll(job, loaded))) return;
    loaded.here = await within(NAMES, this.with_.online(this.room)).catch(() => null);
  }

  /** Names that lead nowhere, or to nobody here, are text; so are all of them while users cannot be asked. */
  private async findMembers(names: string[], loaded: Loaded, until: number): Promise<void> {
    const users = await within(NAMES, this.with_.named(names)).catch(() => null);
    loaded.unknownNames = users === null;
    await Promise.all(
      (users ?? []).map(async ({ id, username }) => {
        // Members alone are named, and to them a room is there however they look.
        const access = await this.accessOf(id, false, until);
        if (access instanceof RookeryError) loaded.unknownNames = true;
        else if (!access.denied && access.role !== null) loaded.members.set(username.toLowerCase(), id);
      }),
    );
  }

  private async attach(
    { request }: Job,
    { access, rules }: Loaded,
    until: number,
  ): Promise<Attachment[] | RookeryError> {
    const own = access.get(request.user?.id ?? "");
    if (own instanceof RookeryError || !own || own.denied || own.role === null) return [];
    if (mutedUntil(own, timestamp(this.with_.clock)) !== undefined) return [];
    if (rules instanceof RookeryError || rules.archived) return [];
    try {
      const attached = this.with_.attach(request.user?.id ?? "", this.room, filesOf(request));
      return await within(until - this.with_.clock.monotonic(), attached);
    } catch (error) {
      return asRefusal(error);
    }
  }

  /** Keeps what is known of members in step with the log. Rights end before the entry and begin after it. */
  follow({ kind, data, offset }: Pick<Entry, "kind" | "data" | "offset">, writtenHere = false): void {
    if (kind === "room") return this.forget();
    // Written here it is known already.
    if (kind === "message" && this.rules?.rules.slowMode) this.slow.known &&= writtenHere;
    if (kind !== "member" || data === null) return;
    const change = memberOf(data);
    if (!change) return;
    // Without the rules it is not known what of the past a newcomer may read.
    if (change.change === "join" && !change.muted && this.rules)
      // Believed for a moment only: the owner writes the membership after this entry.
      this.remember(
        change.user,
        {
          room: this.room,
          role: (change.role ?? "member") as "member",
          visibleFrom: change.role === "guest" || this.rules.rules.fromJoin ? offset : 0,
        },
        this.with_.clock.monotonic() - ACCESS_TTL + 1_000,
      );
    else this.members.delete(change.user);
  }

  forget(): void {
    this.members.clear();
    this.rules = null;
    this.slow.known = false;
  }
}

/**
 * Whom a text names, each once: members of the room, and `EVERYBODY` where the author may call all of them. An edit that keeps
 * `@here` keeps whom it named, and one takes a mention from nobody while names cannot be asked for.
 */
export function mentionedBy(job: Job, loaded: Loaded): string[] {
  const { request } = job;
  const names = namesIn(request);
  const named = new Set(names.flatMap(name => loaded.members.get(name) ?? []));
  const before = names.length > 0 ? editedBy(request, loaded) : null;
  const stays = before && names.includes(HERE) && namesMentioned(before.text).includes(HERE);
  if (before && (stays || loaded.unknownNames)) for (const user of before.mentions ?? []) named.add(user);
  if (!names.some(name => name === ALL || name === HERE) || !callsAll(job, loaded)) return [...named];
  if (names.includes(ALL) || (stays && before.mentionsAll)) named.add(EVERYBODY);
  if (names.includes(HERE) && !stays)
    for (const user of loaded.here ?? []) if (user !== request.user?.id) named.add(user);
  return [...named];
}

/** Who runs the room or moderates everywhere calls all members, and where people know each other, anybody but a guest. */
function callsAll({ request: { user } }: Job, { access, rules }: Loaded): boolean {
  const own = user && access.get(user.id);
  if (!own || own instanceof RookeryError || own.role === null || rules instanceof RookeryError) return false;
  return moderates(user, own.role) || (rules.kind !== "channel" && own.role !== "guest");
}

/** The message that a request edits, as it is. */
function editedBy(request: Job["request"], { targets }: Loaded): Message | null {
  const target = request.entry.op === "edit" ? targets.get(request.entry.id) : undefined;
  return target && !target.deleted ? (JSON.parse(target.data) as Message) : null;
}

const namesIn = ({ entry }: Job["request"]): string[] =>
  entry.op === "send" || entry.op === "edit" ? namesMentioned(entry.text) : [];

/** An imported message, for those of its batch that answer it or change it. */
export function applyImport(room: string, entry: Entry, { targets, reactions }: Loaded): void {
  const { id, offset, seq, sender, hash, data } = entry;
  if (id === null || data === null) return;
  targets.set(id, { room, id, offset, seq, sender, hash, deleted: false, data });
  reactions.set(offset, []);
}

/** Throws what loading was refused with. */
export function known<T>(value: T | RookeryError): T {
  if (value instanceof RookeryError) throw value;
  return value;
}

/** What later jobs of the same batch must see of this one. */
export function applyChange({ change }: Entry, target: StoredMessage | undefined, loaded: Loaded): void {
  if (!change || !target) return;
  if (change.pinned) loaded.pins++;
  else if ((change.pinned === false || change.deleted) && (JSON.parse(target.data) as Message).pinned) loaded.pins--;
  target.data = change.data;
  target.deleted ||= change.deleted === true;
  const list = loaded.reactions.get(target.offset);
  if (!change.reaction || !list) return;
  const { emoji, user, on } = change.reaction;
  if (on) list.push({ emoji, user });
  else
    list.splice(
      list.findIndex(reaction => reaction.emoji === emoji && reaction.user === user),
      1,
    );
}
