import type { Completion, HistoryLine, Observed, RoomStart } from "../history";
import type { Asking, HistoryIndex } from "../history-index";
import { AFTERMATH, type JudgedRule, type Report } from "../rule";

/** Entries of a replay that are surely not too many: the bound in bytes may come before that in entries. */
const REPLAY = 250;

/** How a room goes on for one socket. */
interface Subscription {
  /** Offset of the next event; null while nobody knows: a change of the subscription was left unanswered. */
  next: number | null;
  /** Up to where it was answered to be: events up to there are a replay. */
  head: number;
  /** An unsubscription is under way: it may end at any event. */
  ending: boolean;
  /** Why that is the next. */
  since: HistoryLine;
}

interface Socket {
  rooms: Map<string, Subscription>;
  /** Rooms that were cut by the server: what comes of them is H12's. */
  cut: Set<string>;
  /** Of the user's own feed. */
  user: { id: string; next: number; since: HistoryLine } | null;
  /** Or was, when all had come to rest. */
  open: boolean;
}

/**
 * H8. By lines, not by time: what one socket got is recorded in the order it came, and the answer to a subscription comes
 * before its events.
 */
export const delivery: JudgedRule = {
  rule: "H8",
  name: "delivery",
  sentence: "Events of a room come once each, in order and without a hole, up to the head, unless the room was reset.",
  judge(history, report) {
    const sockets = new Map<string, Socket>();
    const epochs = new Map<number, Completion>();
    /** Of each user's own feed the furthest that any of his sockets knew of, since the last restore. */
    const feeds = new Map<string, { n: number; line: HistoryLine }>();
    for (const line of history.lines) {
      if (line.phase === "run" && line.what === "restored") feeds.clear();
      if (line.phase === "run" || line.session === "rest") continue;
      let socket = sockets.get(line.session);
      if (!socket) sockets.set(line.session, (socket = { rooms: new Map(), cut: new Set(), user: null, open: true }));
      if (line.phase === "seen") see(history, socket, line, report);
      else if (line.phase === "invoke") {
        if (line.op === "unsubscribe")
          for (const room of line.rooms) Object.assign(socket.rooms.get(room) ?? {}, { ending: true });
      } else end(history, socket, line, epochs, report);
      const { user } = socket;
      if (user?.since === line && user.next - 1 > (feeds.get(user.id)?.n ?? 0))
        feeds.set(user.id, { n: user.next - 1, line });
    }
    for (const socket of sockets.values()) if (socket.open) reached(history, socket, feeds, report);
  },
};

function end(
  history: HistoryIndex,
  socket: Socket,
  line: Completion,
  epochs: Map<number, Completion>,
  report: Report,
): void {
  const asked = history.operations.get(line.id)?.asked;
  if (asked?.op === "unsubscribe") {
    for (const room of asked.rooms) {
      const subscription = socket.rooms.get(room);
      if (line.phase === "ok") socket.rooms.delete(room);
      else if (subscription)
        Object.assign(subscription, { ending: false, ...(line.phase === "info" && { next: null }) });
    }
  }
  if (asked?.op !== "subscribe") return;
  if (line.phase === "info")
    for (const room of Object.keys(asked.rooms))
      socket.rooms.set(room, { next: null, head: Infinity, ending: false, since: line });
  if (line.phase !== "ok") return;
  const { epoch, rooms = {} } = line.answer;
  if (epoch !== undefined) sameEpoch(history, line, epoch, epochs, report);
  const otherEpoch = asked.epoch !== null && epoch !== undefined && asked.epoch !== epoch;
  for (const [room, start] of Object.entries(rooms)) begin(socket, asked, line, room, start, otherEpoch, report);
  beginFeed(socket, asked, line, otherEpoch, report);
}

/** An epoch is of the store: it changes when that is put back, and only then. */
function sameEpoch(
  history: HistoryIndex,
  line: Completion,
  epoch: string,
  epochs: Map<number, Completion>,
  report: Report,
): void {
  const era = history.eraAt(line.t);
  for (const [of, first] of epochs) {
    const same = first.phase === "ok" && first.answer.epoch === epoch;
    if (same !== (of === era))
      report(`The epoch ${same ? "stayed over a restore" : "changed by itself"}.`, null, first, line);
  }
  if (!epochs.has(era)) epochs.set(era, line);
}

function begin(
  socket: Socket,
  asked: Asking<"subscribe">,
  line: Completion,
  room: string,
  start: RoomStart,
  otherEpoch: boolean,
  report: Report,
): void {
  socket.rooms.delete(room);
  if (start.state === "denied") return;
  socket.cut.delete(room);
  const from = asked.rooms[room] ?? null;
  const { state, offset } = start;
  if (from !== null && otherEpoch && state !== "reset")
    report(`The room went on as ${state} for who knew another epoch.`, room, asked, line);
  else if (from !== null && state === "live" && from !== offset)
    report(`Resumed from ${from}, and live at ${offset}.`, room, asked, line);
  else if (state === "replayed" && (from === null || from >= offset))
    report(`Resumed from ${from}, and replayed up to ${offset}.`, room, asked, line);
  const next = (state === "replayed" ? (from ?? offset) : offset) + 1;
  socket.rooms.set(room, { next, head: offset, ending: false, since: line });
}

function beginFeed(
  socket: Socket,
  asked: Asking<"subscribe">,
  line: Completion & { phase: "ok" },
  otherEpoch: boolean,
  report: Report,
): void {
  const { n } = line.answer;
  if (n === undefined) return;
  const from = asked.n;
  const feed = line.answer.feed ?? (from !== null && from < n ? "replayed" : "live");
  if (from !== null && otherEpoch && feed !== "reset")
    report(`The user's feed went on as ${feed} for who knew another epoch.`, null, asked, line);
  else if (from !== null && feed === "live" && from !== n)
    report(`The user's feed was resumed from ${from}, and is live at ${n}.`, null, asked, line);
  socket.user = { id: line.user, next: (feed === "replayed" ? (from ?? n) : n) + 1, since: line };
}

function see(history: HistoryIndex, socket: Socket, line: Observed, report: Report): void {
  switch (line.what) {
    case "close":
      // Whoever leaves after all has come to rest must have got everything by then.
      socket.open = line.t >= history.quietAt;
      return;
    case "reset":
      broken(history, socket.rooms.get(line.room), line, report);
      if (socket.rooms.has(line.room))
        socket.rooms.set(line.room, { next: line.offset + 1, head: line.offset, ending: false, since: line });
      return;
    case "unsub":
      socket.rooms.delete(line.room);
      socket.cut.add(line.room);
      return;
    case "user":
      if (line.kind !== "reset" && socket.user && line.n !== socket.user.next)
        report(`The user's feed came to ${line.n}, next was ${socket.user.next}.`, null, socket.user.since, line);
      socket.user = { id: line.user, next: line.n + 1, since: line };
      return;
    case "event":
      event(socket, line, report);
  }
}

/** A replay that was promised is given up only where something is wrong, or where it is too long. */
function broken(
  history: HistoryIndex,
  subscription: Subscription | undefined,
  line: Observed & { what: "reset" },
  report: Report,
): void {
  const { next = null, head = 0, since } = subscription ?? {};
  if (next === null || next > head || head === Infinity || head - next > REPLAY) return;
  if (history.troubled(line.t - AFTERMATH, line.t)) return;
  report(`The replay of ${next} to ${head} was given up though nothing was wrong.`, line.room, since, line);
}

function event(socket: Socket, line: Observed & { what: "event" }, report: Report): void {
  const { room, offset } = line;
  const subscription = socket.rooms.get(room);
  if (!subscription) {
    if (!socket.cut.has(room)) report(`Offset ${offset} came without a subscription.`, room, line);
    return;
  }
  const { next, since } = subscription;
  if (next !== null && offset > next) report(`Offset ${offset} came, next was ${next}.`, room, since, line);
  else if (next !== null && offset < next)
    report(`Offset ${offset} came again or late, next was ${next}.`, room, since, line);
  subscription.next = next !== null && offset < next ? next : offset + 1;
  subscription.since = line;
  const { member } = line;
  // Who is taken out of a room is told by this entry, and hears no more; the frame that says so may still come.
  if (
    offset > subscription.head &&
    member?.user === line.user &&
    (member.change === "remove" || member.change === "ban")
  ) {
    socket.rooms.delete(room);
    socket.cut.add(room);
  }
}

/** Who is subscribed when all has come to rest has all there is. */
function reached(
  history: HistoryIndex,
  { rooms, user }: Socket,
  feeds: ReadonlyMap<string, { n: number; line: HistoryLine }>,
  report: Report,
): void {
  if (history.quietAt === Infinity) return;
  const feed = user && feeds.get(user.id);
  if (feed && feed.line.t <= history.quietAt && user.next <= feed.n)
    report(`The user's feed is at ${feed.n}, and here ${user.next} never came.`, null, user.since, feed.line);
  for (const [room, { next, since }] of rooms) {
    const { head } = history.pastOf(room, history.era);
    if (next === null || !head.line || head.line.t > history.quietAt || next > head.offset) continue;
    report(`The last events up to ${head.offset} never came, next was ${next}.`, room, since, head.line);
  }
}
