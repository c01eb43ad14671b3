import { call, type AppendAnswer, type AppendRequest, type Caller, type Turn } from "../services/core/contract";
import { publicError, RookeryError, type ErrorCode } from "../services/core/errors";
import { newId } from "../services/core/ids";
import { INTERNAL } from "../services/core/limits";
import { Rendezvous } from "../services/core/rendezvous";
import { nodesWith } from "./nodes";
import { able } from "./standing";

/** What is needed of a broker. */
export interface WritersBroker extends Caller {
  registry: { getServiceList(options: { onlyAvailable: true; skipInternal: true }): unknown; nodes: unknown };
  localBus: {
    on(event: string, listener: () => void): unknown;
    off(event: string, listener: () => void): unknown;
  };
}

export type Answered = (answer: AppendAnswer) => void;

/** Told when the set of live writers has changed. */
export type WritersChanged = (before: Rendezvous, now: Rendezvous) => void;

/** Entries that may be under way from one of these. */
const PENDING = 10_000;
/** Milliseconds a call may take in all: a writer answers within 5 s. */
const TIMEOUT = 6_000;
/** Milliseconds an entry may wait for what is under way to the former writer of its room; with the call less than 10 s. */
const HOLD = 3_500;
/**
 * Bytes of one call and of its answer, reckoned as below: NATS takes 1 MiB, a writer 256 KiB of text. What is at most six
 * bytes of JSON is at most three of UTF-8.
 */
const CALL_BYTES = 2 * INTERNAL.appendBytes;

interface Item {
  request: AppendRequest;
  answered: Answered;
}

/** What one call takes to a writer. */
interface Batch {
  node: string;
  items: Item[];
}

/** A room that has another writer now, while entries are under way to the former one. */
interface Move {
  underWay: number;
  /** Entries that wait for those. */
  held: Item[];
  timer: NodeJS.Timeout | undefined;
}

/**
 * Takes entries to the writers of their rooms: rendezvous hashing over the live `messages` nodes, one call for each writer
 * and tick. A room goes to another writer only when nothing of it is under way from here, so what one caller appends to
 * one room keeps its order. Routing is comfort: that a room has one writer is the store's to enforce.
 *
 * The node is chosen here and named to the broker, not by a Moleculer strategy. A strategy chooses for one call when it is
 * made; here the writers come first, since what is of one writer makes one call, and what is under way to whom must be
 * known before the next entry of a room leaves. A strategy could neither hold an entry back nor see many rooms in a call.
 */
export class RoomWriters {
  private live: Rendezvous;
  /** What leaves at the end of the tick, by writer. */
  private outgoing = new Map<string, Item[]>();
  private readonly underWay = new Set<Batch>();
  /** The last call made to each writer since it was seen to live. */
  private readonly lines = new Map<string, { line: string; n: number }>();
  /** The calls under way with entries of a room. */
  private readonly calls = new Map<string, Set<Turn>>();
  /** All that is under way of a room goes to its writer, but for these. Empty unless the writers have just changed. */
  private readonly moves = new Map<string, Move>();
  private pending = 0;
  private readonly listeners = new Set<WritersChanged>();
  private readonly look = (): void => this.update();

  constructor(private readonly broker: WritersBroker) {
    this.live = new Rendezvous(writersOf(broker));
    for (const event of CHANGES) broker.localBus.on(event, this.look);
  }

  /** Entries under way. */
  get size(): number {
    return this.pending;
  }

  /** The live writers. */
  get nodes(): readonly string[] {
    return this.live.nodes;
  }

  /** The node that writes a room now; undefined if there is none. */
  writerOf(room: string): string | undefined {
    return this.live.of(room);
  }

  /** @returns what ends it */
  onChange(listener: WritersChanged): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * One answer for each entry, in order; never rejects. UNAVAILABLE: surely not appended. UNKNOWN_OUTCOME: its writer did
   * not answer in time, or was lost.
   */
  append(entries: readonly AppendRequest[]): Promise<AppendAnswer[]> {
    return Promise.all(entries.map(entry => new Promise<AppendAnswer>(resolve => this.add(entry, resolve))));
  }

  /** Like `append`; `answered` is called exactly once. */
  add(request: AppendRequest, answered: Answered): void {
    if (this.pending >= PENDING) return answered(refused("UNAVAILABLE"));
    this.pending++;
    this.route({ request, answered });
  }

  /** Listens to the broker no more. What is under way is still answered. */
  close(): void {
    for (const event of CHANGES) this.broker.localBus.off(event, this.look);
    this.listeners.clear();
  }

  private route(item: Item): void {
    const { room } = item.request;
    const move = this.moves.size > 0 && this.moves.get(room);
    if (move) return this.hold(move, item);
    const node = this.live.of(room);
    if (node === undefined) return this.settle(item, refused("UNAVAILABLE"));
    if (this.outgoing.size === 0) setImmediate(() => this.flush());
    const items = this.outgoing.get(node);
    if (items) items.push(item);
    else this.outgoing.set(node, [item]);
  }

  /** Its turn comes when everything before it is answered; if that takes too long it is surely not sent. */
  private hold(move: Move, item: Item): void {
    move.held.push(item);
    move.timer ??= setTimeout(() => {
      move.timer = undefined;
      for (const late of move.held.splice(0)) this.settle(late, refused("UNAVAILABLE"));
    }, HOLD);
  }

  private flush(): void {
    const { outgoing } = this;
    this.outgoing = new Map();
    for (const [node, all] of outgoing) {
      let items: Item[] = [];
      let bytes = 0;
      for (const item of all) {
        const size = bytesOf(item.request);
        if (items.length === INTERNAL.appendEntries || (items.length > 0 && bytes + size > CALL_BYTES)) {
          void this.send({ node, items });
          items = [];
          bytes = 0;
        }
        items.push(item);
        bytes += size;
      }
      void this.send({ node, items });
    }
  }

  private async send(batch: Batch): Promise<void> {
    const { node, items } = batch;
    let answers: AppendAnswer[] = [];
    let failure: ErrorCode = "UNKNOWN_OUTCOME";
    this.underWay.add(batch);
    const rooms = new Set(items.map(({ request }) => request.room));
    const turn = this.turn(node, rooms);
    try {
      const entries = items.map(({ request }) => request);
      answers = await call(this.broker, "messages.append", { entries, ...turn }, { nodeID: node, timeout: TIMEOUT });
    } catch (error) {
      const { code } = publicError(error);
      failure = code === "INTERNAL" ? "UNKNOWN_OUTCOME" : code;
    }
    this.underWay.delete(batch);
    for (const room of rooms) this.over(turn, room);
    items.forEach((item, index) => this.settle(item, answers[index] ?? refused(failure)));
    if (this.moves.size > 0) for (const { request } of items) this.leave(request.room);
  }

  /** What is sent now is begun after what is under way of the same rooms, and waits for nothing else. */
  private turn(node: string, rooms: ReadonlySet<string>): Turn {
    const { line, n } = this.lines.get(node) ?? { line: newId(), n: 0 };
    const before = new Set<number>();
    for (const room of rooms) for (const turn of this.calls.get(room) ?? []) if (turn.line === line) before.add(turn.n);
    const after = [...before].sort((left, right) => left - right).slice(-INTERNAL.callsBefore);
    const turn = { line, n: n + 1, after };
    this.lines.set(node, turn);
    for (const room of rooms) this.calls.set(room, (this.calls.get(room) ?? new Set()).add(turn));
    return turn;
  }

  private over(turn: Turn, room: string): void {
    const calls = this.calls.get(room);
    calls?.delete(turn);
    if (calls?.size === 0) this.calls.delete(room);
  }

  /** One entry of a room that moves less under way; after the last one those that were held go to the writer of now. */
  private leave(room: string): void {
    const move = this.moves.get(room);
    if (!move || --move.underWay > 0) return;
    this.moves.delete(room);
    clearTimeout(move.timer);
    for (const item of move.held) this.route(item);
  }

  private settle({ answered }: Item, answer: AppendAnswer): void {
    this.pending--;
    answered(answer);
  }

  private update(): void {
    const before = this.live;
    const now = new Rendezvous(writersOf(this.broker));
    if (now.nodes.join() === before.nodes.join()) return;
    this.flush();
    this.live = now;
    for (const node of this.lines.keys()) if (!now.nodes.includes(node)) this.lines.delete(node);
    // Of a room that moves already everything under way is counted, and nothing new leaves.
    const moving = new Map<string, Move>();
    for (const { node, items } of this.underWay)
      for (const { request } of items) {
        const { room } = request;
        if (this.moves.has(room) || now.of(room) === node) continue;
        const move = moving.get(room);
        if (move) move.underWay++;
        else moving.set(room, { underWay: 1, held: [], timer: undefined });
      }
    for (const [room, move] of moving) this.moves.set(room, move);
    for (const listener of this.listeners) listener(before, now);
  }
}

/** Events of Moleculer's registry after which other nodes may write. */
const CHANGES = ["$services.changed", "$node.connected", "$node.updated", "$node.disconnected"];

const writersOf = (broker: WritersBroker): string[] => able(broker, nodesWith(broker, "messages"));

/** Bytes of JSON that one character can take. */
const ESCAPED = 6;
/** Bytes that come with every entry and its answer: who, where, the message around its text. */
const FRAME = 1_024;
/** Bytes of a file's record, and of metadata, at most. */
const FILE = 2_048;
const METADATA = 4 * 2_048;
/** Bytes of a note of a user's feed: at most a room with a hundred members, or a topic. */
const NOTE = 8 * 1_024;
/** Bytes of a whole message with all its reactions: what a change is answered with. */
const WHOLE = 40 * 1_024;

/** Bytes of an entry and of its answer, at most; cheap to tell, so never less than they are. */
function bytesOf({ entry }: AppendRequest): number {
  if (entry.op === "member") return FRAME;
  if (entry.op === "user") return NOTE;
  if (entry.op === "import") return FRAME + entry.message.text.length * ESCAPED + METADATA;
  if (entry.op !== "send") return WHOLE;
  const files = (entry.attachments?.length ?? 0) * FILE;
  return FRAME + entry.text.length * ESCAPED + files + (entry.metadata ? METADATA : 0);
}

const refused = (code: ErrorCode): AppendAnswer => ({ ok: false, error: publicError(new RookeryError(code)) });
