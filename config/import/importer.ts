import type { AppendAnswer, AppendRequest, ImportedMember } from "../../services/core/contract";
import { hasCode } from "../../services/core/errors";
import type { Installation } from "./installation";
import { idOf, numbered } from "./names";
import type { People } from "./people";
import { piecesOf, type Piece, type Pin } from "./pieces";
import { count, emptyReport, type RoomReport } from "./report";
import type { Source, SourceMessage, SourceRoom } from "./source";

/** Messages of one call to a writer, and what these may take there: it must stay one call, or one could overtake another. */
const BATCH = { messages: 100, bytes: 400 * 1024 };
/** Deletions and reactions of one call, members of one change, users of one call for marks. */
const CHANGES = 200;
const MEMBERS = 100;
const MARKS = 500;
/** Pins of one room that are kept until its messages are there: far more than a room may have. */
const PINS = 1_000;
/** Names tried for a room. */
const NAMES = 20;
const DAY = 86_400_000;

export interface ImportOptions {
  /** Name here; of one room alone. */
  as?: string;
  /** Names there of the rooms wanted; all unless given. */
  only?: ReadonlySet<string>;
  dryRun: boolean;
  retentionDays: number;
  /** Milliseconds since 1970. */
  now: number;
  /** Told now and then how far it is. */
  progress(room: string, messages: number): void;
}

/** Messages between two words of progress. */
const STEP = 10_000;

/** What is known of the room that is being written. */
interface Target {
  id: string;
  report: RoomReport;
  /** Everybody who wrote or reacted. */
  seen: Set<string>;
  /** The last message of the import here. */
  seq: number;
  pins: Pin[];
}

/**
 * Writes rooms of a source into an installation. A message is known for ever by an id made of its own there, so whatever is
 * written twice is there once, and an import that was cut off is finished by running it again.
 */
export class Importer {
  private readonly reports: RoomReport[] = [];

  constructor(
    private readonly source: Source,
    private readonly here: Installation | null,
    private readonly people: People,
    private readonly maxText: number,
    private readonly options: ImportOptions,
  ) {}

  async run(): Promise<RoomReport[]> {
    const { only } = this.options;
    for await (const room of this.source.rooms())
      if (!only || only.has(room.name ?? room.key)) this.reports.push(await this.room(room));
    return this.reports;
  }

  private async room(room: SourceRoom): Promise<RoomReport> {
    const report = emptyReport(labelOf(room));
    const pair = room.kind === "direct" ? [...new Set(room.members.map(({ person }) => person))] : [];
    if (room.kind === "direct" && pair.length !== 2)
      return { ...report, leftOut: "a direct room is of two people here" };
    const members: ImportedMember[] = [];
    // One after the other: of two who want one name the first is the same each time.
    for (const { person, ...member } of room.members) members.push({ ...member, user: await this.user(person) });
    if (room.kind === "direct" && new Set(members.map(({ user }) => user)).size !== 2)
      return { ...report, leftOut: "both are one account here" };
    report.members = members.filter(({ state }) => state === "member").length;
    const owner = await this.user(room.createdBy ?? room.members[0]?.person ?? "nobody");
    const id = await this.make(
      room,
      owner,
      members.map(({ user }) => user),
      report,
    );
    if (id === null) return report;
    const target: Target = { id, report, seen: new Set([owner]), seq: 0, pins: [] };
    await this.messages(room, target);
    if (!this.options.dryRun && this.here)
      await this.admit(
        target,
        room.kind === "direct" ? [] : withOwner(members),
        members.map(({ user }) => user),
      );
    return report;
  }

  /** The room here; null if it was left out. */
  private async make(
    room: SourceRoom,
    createdBy: string,
    people: string[],
    report: RoomReport,
  ): Promise<string | null> {
    const { as } = this.options;
    const id = idOf(`room ${this.source.origin} ${room.key}${as === undefined ? "" : ` as ${as}`}`, room.createdAt);
    const { kind, isPrivate, topic, mode, slowMode, history, archivedAt, retentionDays, legalHold, createdAt } = room;
    const there = as === undefined || kind !== "channel" ? null : await this.here?.ask("rooms.inspect", { room: as });
    if (as !== undefined && kind !== "direct") report.to = kind === "channel" ? `#${as}` : as;
    if (there && there.deletedAt === null) return there.id;
    if (this.options.dryRun || !this.here) return id;
    const facts = {
      ...{ id, kind, isPrivate, createdBy, createdAt },
      ...(topic !== undefined && { topic }),
      ...(mode !== undefined && { mode }),
      ...(slowMode !== undefined && { slowMode }),
      ...(history && { history }),
      ...(archivedAt !== undefined && { archivedAt }),
      ...(retentionDays !== undefined && { retentionDays }),
      ...(legalHold && { legalHold }),
    };
    for (let n = 1; n <= NAMES; n++) {
      const name = kind === "direct" ? null : roomName(as ?? room.name ?? room.key, this.source.origin, n);
      try {
        const made = await this.here.ask("rooms.import", { ...facts, name, ...(kind === "direct" && { people }) });
        const shown = (await this.here.ask("rooms.inspect", { room: made.id }))?.name;
        if (shown && kind === "channel") report.to = `#${shown}`;
        return made.id;
      } catch (error) {
        if (hasCode(error, "NOT_FOUND")) {
          report.leftOut = "it was imported before and deleted here since; --as NAME makes another of it";
          return null;
        }
        if (!hasCode(error, "CONFLICT") || kind !== "channel") throw error;
      }
    }
    report.leftOut = `the name ${room.name ?? room.key} and all like it are taken`;
    return null;
  }

  private async messages(room: SourceRoom, target: Target): Promise<void> {
    const { report } = target;
    const user = (person: string): Promise<string> => this.user(person);
    let batch: Piece[] = [];
    let bytes = 0;
    for await (const { message, skipped } of room.messages()) {
      if (!message) {
        count(report.skipped, skipped);
        continue;
      }
      report.messages++;
      this.note(message, report, room);
      if (report.messages % STEP === 0) this.options.progress(report.to, report.messages);
      for (const piece of await piecesOf(message, { ...target, room: target.id, maxText: this.maxText, user })) {
        if (batch.length >= BATCH.messages || (batch.length > 0 && bytes + piece.bytes > BATCH.bytes)) {
          await this.write(batch, target);
          [batch, bytes] = [[], 0];
        }
        batch.push(piece);
        bytes += piece.bytes;
        this.keep(piece, target);
      }
    }
    await this.write(batch, target);
    // In the order of the pins, which need not be that of the messages.
    const pins = target.pins.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
    await this.change(
      pins.map(({ request }) => request),
      target,
    );
  }

  private keep({ pin }: Piece, { pins, report }: Target): void {
    if (!pin) return;
    if (pins.length < PINS) pins.push(pin);
    else count(report.lost, `pins beyond ${PINS} of a room`);
  }

  private note(
    { createdAt, files, lost = {}, reactions }: SourceMessage,
    report: RoomReport,
    { retentionDays: own, legalHold = false }: SourceRoom,
  ): void {
    const { retentionDays, now } = this.options;
    if (report.first === undefined || createdAt < report.first) report.first = createdAt;
    if (report.last === undefined || createdAt > report.last) report.last = createdAt;
    const asElsewhere = own === undefined && !legalHold;
    if (asElsewhere && retentionDays > 0 && Date.parse(createdAt) < now - retentionDays * DAY) report.old++;
    for (const { people } of reactions) report.reactions += people.length;
    if (files.length > 0) count(report.lost, "files: a line in the text says what they were", files.length);
    for (const [what, n] of Object.entries(lost)) count(report.lost, what, n);
  }

  private async write(batch: readonly Piece[], target: Target): Promise<void> {
    if (this.options.dryRun || !this.here || batch.length === 0) return;
    const answers = await this.here.append(batch.map(({ message }) => message));
    answers.forEach(answer => this.took(answer, target));
    await this.change(
      batch.flatMap(piece => piece.changes),
      target,
    );
  }

  private async change(changes: readonly AppendRequest[], { report }: Target): Promise<void> {
    if (this.options.dryRun || !this.here) return;
    for (let from = 0; from < changes.length; from += CHANGES)
      for (const answer of await this.here.append(changes.slice(from, from + CHANGES)))
        if (!answer.ok) count(report.lost, `of what was done to messages: ${answer.error.detail ?? answer.error.code}`);
  }

  private took(answer: AppendAnswer, target: Target): void {
    const { report } = target;
    if (!answer.ok) return count(report.skipped, whyNot(answer));
    if (answer.duplicate) report.already++;
    else report.added++;
    target.seq = Math.max(target.seq, answer.seq);
  }

  /** Last, so that a join finds all of it there and nobody has it unread. Who only wrote here is remembered as somebody who left. */
  private async admit(
    { id, seen, seq }: Target,
    members: readonly ImportedMember[],
    present: readonly string[],
  ): Promise<void> {
    const here = this.here as Installation;
    const inside = new Set(present);
    const gone = [...seen]
      .filter(user => !inside.has(user))
      .map(user => ({ user, role: "member", state: "left" }) as const);
    const all: ImportedMember[] = [...members, ...gone];
    for (let from = 0; from < all.length; from += MEMBERS)
      await here.ask("rooms.importMembers", { room: id, members: all.slice(from, from + MEMBERS) });
    const users = await here.ask("rooms.memberIds", { room: id });
    for (let from = 0; from < users.length; from += MARKS)
      await here.ask("messages.importMarks", { room: id, users: users.slice(from, from + MARKS), seq });
  }

  private async user(person: string): Promise<string> {
    return (await this.people.of(this.source.person(person))).id;
  }
}

const labelOf = ({ kind, name, key }: SourceRoom): string => (kind === "channel" ? `#${name ?? key}` : (name ?? key));

/** The plain name first, then one that says where it comes from. */
const roomName = (name: string, origin: string, n: number): string =>
  n === 1 ? name : numbered(`${name.slice(0, 60)}-${origin}`, n - 1, 80);

function whyNot(answer: Extract<AppendAnswer, { ok: false }>): string {
  const { code, detail } = answer.error;
  return code === "CONFLICT" ? "changed since it was imported: left as it is here" : (detail ?? code);
}

/** A room has an owner: whoever stands first, if the source names none. */
function withOwner(members: readonly ImportedMember[]): ImportedMember[] {
  const inside = members.filter(({ state }) => state === "member");
  const first = inside.some(({ role }) => role === "owner") ? undefined : inside[0];
  return members.map(({ user, role, state, joinedAt, bannedUntil, mutedUntil }) => ({
    user,
    role: first?.user === user ? "owner" : role,
    state,
    ...(joinedAt !== undefined && { joinedAt }),
    ...(bannedUntil !== undefined && { bannedUntil }),
    ...(mutedUntil !== undefined && { mutedUntil }),
  }));
}
