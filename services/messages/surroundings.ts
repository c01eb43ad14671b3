import type { RoomAccess } from "../core/contract";
import { within } from "../core/deadline";
import { RookeryError } from "../core/errors";
import type { Attachment } from "../core/model";
import { endsMembership } from "../core/room-bus";
import { asRefusal, filesOf, targetOf, type Job } from "./job";
import { memberOf } from "./member-entry";
import { namesMentioned } from "./mentions";
import type { Entry, StoredMessage } from "./message.store";
import type { WriterDependencies } from "./room-writer";

/** What the decisions about a batch rest on; where loading was refused, the refusal. */
export interface Loaded {
  access: Map<string, RoomAccess | RookeryError>;
  targets: Map<string, StoredMessage>;
  reactions: Map<number, { emoji: string; user: string }[]>;
  files: Map<Job, Attachment[] | RookeryError>;
  /** Members of the room by lower-case user name, of those the batch mentions. */
  members: Map<string, string>;
}

/** Milliseconds a membership is believed without being asked again; entries of the log change it at once. */
const ACCESS_TTL = 30_000;

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

  constructor(
    private readonly room: string,
    private readonly with_: WriterDependencies,
  ) {}

  /** Asks for all that the decisions need, at once; what was refused is kept as the refusal. */
  async load(jobs: readonly Job[]): Promise<Loaded> {
    const until = this.with_.clock.monotonic() + PATIENCE;
    const loaded: Loaded = {
      access: new Map(),
      targets: new Map(),
      reactions: new Map(),
      files: new Map(),
      members: new Map(),
    };
    const users = new Set(jobs.flatMap(job => job.request.user?.id ?? []));
    const targets = new Set(jobs.flatMap(job => targetOf(job.request) ?? []));
    const names = new Set(
      jobs.flatMap(job => (job.request.entry.op === "send" ? namesMentioned(job.request.entry.text) : [])),
    );
    const withFiles = jobs.filter(job => filesOf(job.request).length > 0);
    const [found] = await Promise.all([
      targets.size > 0 ? this.with_.store.byIds([...targets]) : [],
      ...[...users].map(async user => loaded.access.set(user, await this.accessOf(user, until))),
      names.size > 0 ? this.findMembers([...names], loaded.members, until) : undefined,
      ...withFiles.map(async job => loaded.files.set(job, await this.attach(job, until))),
    ]);
    for (const message of found) if (message.room === this.room) loaded.targets.set(message.id, message);
    const reacted = jobs.flatMap(({ request: { entry } }) =>
      entry.op === "react" ? (loaded.targets.get(entry.id)?.offset ?? []) : [],
    );
    await Promise.all(
      [...new Set(reacted)].map(async offset =>
        loaded.reactions.set(offset, await this.with_.store.reactions(this.room, offset)),
      ),
    );
    return loaded;
  }

  private remember(user: string, access: RoomAccess, at: number): void {
    this.members.delete(user);
    this.members.set(user, { access, at });
    const [oldest] = this.members.keys();
    if (this.members.size > MEMBERS && oldest !== undefined) this.members.delete(oldest);
  }

  private async accessOf(user: string, until: number): Promise<RoomAccess | RookeryError> {
    const now = this.with_.clock.monotonic();
    const known = this.members.get(user);
    if (known && now - known.at < ACCESS_TTL) return known.access;
    try {
      const access = await within(until - now, this.with_.access(user, this.room));
      // Only membership is kept: a refusal may end by the next entry, and asking again is then right.
      if (!access.denied && access.role !== null) this.remember(user, access, now);
      else this.members.delete(user);
      return access;
    } catch (error) {
      return asRefusal(error);
    }
  }

  /** Names that lead nowhere, or to nobody here, are text; so are all of them while users cannot be asked. */
  private async findMembers(names: string[], members: Map<string, string>, until: number): Promise<void> {
    const users = await within(NAMES, this.with_.named(names)).catch(() => []);
    await Promise.all(
      users.map(async ({ id, username }) => {
        const access = await this.accessOf(id, until);
        if (!(access instanceof RookeryError) && !access.denied && access.role !== null)
          members.set(username.toLowerCase(), id);
      }),
    );
  }

  private async attach({ request }: Job, until: number): Promise<Attachment[] | RookeryError> {
    try {
      const attached = this.with_.attach(request.user?.id ?? "", this.room, filesOf(request));
      return await within(until - this.with_.clock.monotonic(), attached);
    } catch (error) {
      return asRefusal(error);
    }
  }

  /** Keeps what is known of members in step with the log. Rights end before the entry and begin after it. */
  follow(kind: Entry["kind"], data: string | null): void {
    if (kind === "room") return this.forget();
    if (kind !== "member" || data === null) return;
    const change = memberOf(data);
    if (!change) return;
    if (change.change === "join")
      // Believed for a moment only: the owner writes the membership after this entry, and knows what of the past is visible.
      this.remember(
        change.user,
        { room: this.room, role: (change.role ?? "member") as "member", visibleFrom: 0 },
        this.with_.clock.monotonic() - ACCESS_TTL + 1_000,
      );
    else if (endsMembership(change.change) || change.change === "role") this.members.delete(change.user);
  }

  forget(): void {
    this.members.clear();
  }
}

/** Members whom a message names, each once. */
export function mentionedBy({ entry }: Job["request"], { members }: Loaded): string[] {
  if (entry.op !== "send") return [];
  return [...new Set(namesMentioned(entry.text).flatMap(name => members.get(name) ?? []))];
}

/** Throws what loading was refused with. */
export function known<T>(value: T | RookeryError): T {
  if (value instanceof RookeryError) throw value;
  return value;
}

/** What later jobs of the same batch must see of this one. */
export function applyChange({ change }: Entry, target: StoredMessage | undefined, { reactions }: Loaded): void {
  if (!change || !target) return;
  target.data = change.data;
  target.deleted ||= change.deleted === true;
  const list = reactions.get(target.offset);
  if (!change.reaction || !list) return;
  const { emoji, user, on } = change.reaction;
  if (on) list.push({ emoji, user });
  else
    list.splice(
      list.findIndex(reaction => reaction.emoji === emoji && reaction.user === user),
      1,
    );
}
