import { Directory } from "./directory.js";
import { Outbox } from "./outbox.js";
import { Room } from "./room.js";
import { Socket } from "./socket.js";

/** Milliseconds between looks at the lists of rooms: what others open for us shows by itself. */
const LOOK = 8_000;
/** Milliseconds after which the lists show a change of members, too; its entry tells first. */
const SETTLED = 1_000;
/** Milliseconds until a newest page that could not be read is asked for again. */
const AGAIN = 1_000;
const LIMIT_ROOMS = 500;
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

/**
 * The conversation with the server. Fires `rooms` (lists, badges), `room` (the open room's messages), `people` (names,
 * presence), `connection`, and `arrived` for each new message of somebody else (detail: room, message).
 */
export class Chat extends EventTarget {
  rooms = new Map();
  open = null;
  /** Addresses of files that were fetched, by url. */
  blobs = new Map();
  #epoch;
  #n;
  #look = null;
  #check = null;
  #loading = null;
  #stale = false;

  constructor(session) {
    super();
    this.session = session;
    this.me = session.user;
    this.people = new Directory(this);
    this.outbox = new Outbox(this);
    this.socket = new Socket({
      session,
      hello: () => ({ rooms: this.#positions(), epoch: this.#epoch, n: this.#n }),
      frame: frame => this.#frame(frame),
      changed: () => this.fire("connection"),
    });
  }

  fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  start() {
    this.#look = setInterval(
      () => document.visibilityState === "visible" && this.loadRooms().catch(() => undefined),
      LOOK,
    );
    this.socket.start();
  }

  stop() {
    clearInterval(this.#look);
    clearTimeout(this.#check);
    this.socket.stop();
    for (const address of this.blobs.values()) void address.then(URL.revokeObjectURL, () => undefined);
  }

  /** Reads the lists of rooms; those we are in are subscribed. */
  loadRooms() {
    this.#stale = true;
    this.#loading ??= this.#loadRooms().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #loadRooms() {
    let lists;
    // What changed while the lists were read makes them old: they must not undo it.
    for (let tries = 0; this.#stale && tries < 5; tries++) {
      this.#stale = false;
      lists = await Promise.all(["channels", "conversations"].map(path => this.session.pages(`/api/${path}`)));
    }
    const found = new Map(lists.flat().map(info => [info.id, info]));
    for (const id of this.rooms.keys()) if (!found.has(id)) this.#gone(id);
    const known = this.rooms.size;
    for (const [id, info] of found) {
      const room = this.rooms.get(id);
      if (room) room.update(info);
      else this.rooms.set(id, new Room(info, this.me.id));
    }
    const fresh = this.rooms.size > known;
    this.people.ask(lists[1].flatMap(({ members }) => members));
    this.#subscribe();
    this.fire("rooms");
    if (fresh) await this.countUnread();
  }

  /** Takes over what the server counts as unread. */
  async countUnread(again = true) {
    const { items } = await this.session.request("GET", "/api/unread");
    const counted = items.map(item => this.rooms.get(item.roomId)?.counted(item) ?? true);
    if (again && counted.includes(false)) return sleep(1_000).then(() => this.countUnread(false));
    this.look();
    this.fire("rooms");
  }

  /** Shows a room; null for none. */
  show(id) {
    if (this.open) Object.assign(this.open, { dividerSeq: null });
    this.open = this.rooms.get(id) ?? null;
    this.open?.trim();
    if (this.open?.unread) this.open.dividerSeq = this.open.readSeq;
    this.#subscribe();
    this.#loadNewest();
    this.look();
    this.fire("rooms");
    this.fire("room");
  }

  /** Moves the read mark to the newest message of the open room if it is being looked at. */
  look() {
    const room = this.open;
    if (!room?.member || !room.loaded || room.readSeq >= room.lastSeq) return;
    if (document.visibilityState !== "visible" || !this.atEnd?.() || !this.socket.open) return;
    this.socket.tell({ t: "read", room: room.id, seq: room.lastSeq });
    room.read(room.lastSeq);
    this.fire("rooms");
  }

  /** Older messages of the open room, or its newest. */
  async loadOlder(room) {
    if (room.loading || !room.hasBefore || !this.socket.open) return;
    room.loading = true;
    const before = room.loaded ? room.messages[0]?.seq : undefined;
    try {
      room.prepend(await this.socket.request({ t: "history", room: room.id, before, limit: 50 }));
      this.people.ask(room.messages.map(message => message.senderId));
      if (room === this.open) this.fire("room");
      this.look();
    } catch {
      room.loading = false;
      setTimeout(() => this.#loadNewest(), AGAIN);
    }
  }

  #loadNewest() {
    if (this.open && !this.open.loaded && this.open.offset !== null) void this.loadOlder(this.open);
  }

  /** edit, delete, react. Throws ApiError. */
  async change(frame) {
    await this.socket.request({ room: this.open.id, ...frame });
  }

  #positions() {
    const wanted = [...this.rooms.values()].filter(room => room.member || room === this.open);
    return Object.fromEntries(wanted.slice(0, LIMIT_ROOMS).map(room => [room.id, room.offset]));
  }

  #subscribe() {
    if (!this.socket.open) return;
    const missing = Object.keys(this.#positions()).filter(id => {
      const room = this.rooms.get(id);
      return room.offset === null && !room.resuming;
    });
    for (const id of missing) this.rooms.get(id).resuming = true;
    if (missing.length > 0) this.socket.tell({ t: "sub", i: 0, rooms: missing });
  }

  #frame(frame) {
    const room = this.rooms.get(frame.room);
    if (frame.t === "welcome") this.#welcome(frame);
    else if (frame.t === "ok") this.#states(frame.rooms);
    else if (frame.t === "event" && room) this.#event(room, frame);
    else if (frame.t === "reset" && room)
      this.#states({ [room.id]: { state: "reset", offset: frame.offset, seq: room.lastSeq } });
    else if (frame.t === "unsub" && room) {
      room.offset = null;
      this.loadRooms().catch(() => undefined);
    } else if (frame.t === "read" && room && frame.user === this.me.id) this.#readElsewhere(room, frame.seq);
    else if (frame.t === "typing" && room) this.#typing(room, frame);
    else if (frame.t === "presence") this.people.changed(frame.changes);
    else if (frame.t === "user") this.#told(frame);
  }

  /** What happened to me elsewhere: on another device, or by somebody else. */
  #told({ n, kind, data }) {
    this.#n = n;
    const room = this.rooms.get(data.roomId);
    if (kind === "read" && room) this.#readElsewhere(room, data.seq);
    else if (kind === "member" || kind === "reset") this.loadRooms().catch(() => undefined);
  }

  #welcome({ epoch, n, rooms }) {
    this.#epoch = epoch;
    this.#n = n;
    this.#states(rooms);
    this.people.watch();
    this.outbox.resume();
    this.loadRooms()
      .then(() => this.countUnread())
      .catch(() => undefined);
  }

  /** How each room goes on. */
  #states(rooms) {
    for (const [id, { state, offset, seq }] of Object.entries(rooms)) {
      const room = this.rooms.get(id);
      if (!room) continue;
      room.resuming = false;
      if (state === "denied") {
        room.offset = null;
        continue;
      }
      if (state === "reset" || room.offset === null) room.forget();
      if (state !== "replayed") Object.assign(room, { offset, lastSeq: Math.max(seq, room.lastSeq) });
    }
    this.#loadNewest();
    this.fire("room");
  }

  #event(room, event) {
    const outcome = room.apply(event, this.me.id);
    if (outcome === "gap" && !room.resuming) {
      room.resuming = true;
      this.socket.tell({ t: "sub", i: 0, rooms: [room.id], from: { [room.id]: room.offset } });
    }
    if (outcome !== "next") return;
    if (event.kind === "message") {
      this.people.ask([event.data.senderId]);
      this.look();
      if (event.data.senderId !== this.me.id) this.fire("arrived", { room, message: event.data });
    }
    if (event.kind === "member") this.#membersChanged(room, event.data);
    else if (event.kind === "room") this.loadRooms().catch(() => undefined);
    this.fire("rooms");
    if (room === this.open) this.fire("room");
  }

  /** The entry is ahead of the lists: read at once they would take back what it says. Our own change concerns them all. */
  #membersChanged(room, { userId }) {
    this.people.ask(room.info.members ?? []);
    const load = () => this.loadRooms().catch(() => undefined);
    clearTimeout(this.#check);
    this.#check = setTimeout(load, SETTLED);
    if (userId === this.me.id) load();
    else this.#stale = true;
  }

  #typing(room, { user, on }) {
    room.types(user, on, () => this.fire("people"));
    this.people.ask([user]);
    this.fire("people");
  }

  #readElsewhere(room, seq) {
    room.read(seq);
    if (room.unread > 0) this.countUnread().catch(() => undefined);
    this.fire("rooms");
  }

  #gone(id) {
    const room = this.rooms.get(id);
    this.rooms.delete(id);
    if (room === this.open) this.show(null);
  }
}
