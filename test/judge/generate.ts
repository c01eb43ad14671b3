import type { Answer, Asked, HistoryLine, Observed, Shown } from "./history";
import { ModelRoom, type ModelEntry } from "./model";

export interface Wanted {
  seed: number;
  rooms?: number;
  clients?: number;
  /** How many times somebody does something. */
  steps?: number;
}

interface Device {
  client: string;
  user: string;
  session: string;
  door: string;
  sid: string;
  open: boolean;
  epoch: string | null;
  /** Last offset seen of each room. */
  rooms: Map<string, number | null>;
  /** Subscriptions of this socket. */
  live: Set<string>;
  /** Operations that wait for an answer. */
  waiting: Map<number, Asked>;
  /** Frames keep their order both ways; milliseconds. */
  up: number;
  down: number;
}

type Sight = Observed extends infer O ? (O extends Observed ? Omit<O, keyof Device | "t" | "phase"> : never) : never;

const DOORS = ["ws://a", "ws://b"];

/** A history without fault, the same for the same seed: pipelined sends, retries, resumes, changes, removals, restores. */
export const generate = (wanted: Wanted): HistoryLine[] => new World(wanted).run();

class World {
  private readonly lines: HistoryLine[] = [];
  private readonly due: { at: number; n: number; act: () => void }[] = [];
  private readonly rooms: ModelRoom[];
  private readonly devices: Device[];
  private readonly users: string[];
  private now = 0;
  private count = 0;
  private state: number;
  private epoch = "e0";
  private serving = true;

  constructor(private readonly wanted: Wanted) {
    this.state = wanted.seed * 2654435761 + 1;
    const clients = wanted.clients ?? 6;
    this.users = Array.from({ length: Math.ceil(clients / 2) + 1 }, (_, i) => `u${i}`);
    this.rooms = Array.from({ length: wanted.rooms ?? 3 }, (_, i) => {
      const founders = this.users.filter((_user, u) => u === 0 || this.chance(0.8));
      return new ModelRoom(`r${i}`, founders, i % 2 === 0, (room, entry) => this.publish(room, entry));
    });
    this.devices = Array.from({ length: clients }, (_, i) =>
      this.device(`c${i}`, this.users[i % (this.users.length - 1)] as string),
    );
  }

  run(): HistoryLine[] {
    const { seed, steps = 120 } = this.wanted;
    this.stage({ what: "seed", seed, shape: "cluster", faults: ["kill"] });
    for (const { id, founders, open } of this.rooms)
      this.stage({ what: "room", room: id, members: [...founders], open });
    // One who is there for a moment only.
    const guest = this.device("guest", this.users.at(-1) as string);
    this.connect(guest);
    this.later(300, () => this.close(guest, 1000, false));
    for (const device of this.devices) this.connect(device);
    let backup: number[] = [];
    for (let step = 0; step < steps; step++) {
      const at = 100 + step * 25 + this.random() * 20;
      this.later(at, () => this.step());
      if (step === Math.floor(steps / 3)) this.later(at, () => this.kill());
      if (seed % 5 !== 0) continue;
      if (step === Math.floor(steps * 0.6)) this.later(at, () => (backup = this.rooms.map(({ offset }) => offset)));
      if (step === Math.floor(steps * 0.6) + 3) this.later(at, () => this.restore(backup));
    }
    this.drain();
    this.now += 60_000;
    this.finish();
    this.drain();
    return this.lines;
  }

  private step(): void {
    const device = this.pick(this.devices);
    const room = this.pick(this.rooms);
    if (!device.open) return;
    const roll = this.random();
    const target = room.messages.length > 0 ? this.pick(room.messages.slice(-8)) : undefined;
    if (roll < 0.4)
      for (let n = this.chance(0.3) ? 4 : 1; n > 0; n--) this.send(device, room, `k${++this.count}`, `h${this.count}`);
    else if (roll < 0.5 && target && target.sender === device.user)
      this.change(device, room, target.id, `h${++this.count}`);
    else if (roll < 0.54 && target && target.sender === device.user) this.change(device, room, target.id, null);
    else if (roll < 0.6 && target) this.reacts(device, room, target.id);
    else if (roll < 0.7) this.history(device, room);
    else if (roll < 0.76) this.marks(device, room, this.chance(0.5) ? "read" : "delivered");
    else if (roll < 0.8) this.looks(device, target && room);
    else if (roll < 0.86) this.close(device, 1006, true);
    else if (roll < 0.9) this.resubscribe(device, room);
    else if (roll < 0.96) this.members(room);
    else if (roll < 0.98) this.revoke(device);
    else this.send(device, room, `k${this.count}`, `h${this.count}`);
  }

  /** One attempt of a send; what was not ok is mostly tried again, perhaps after a reconnect. */
  private send(device: Device, room: ModelRoom, clientId: string, hash: string): void {
    const tried = room.has(device.user, clientId);
    const fate = this.random();
    this.ask(device, { op: "send", room: room.id, clientId, hash }, settle => {
      if (fate < 0.06 && !tried) return settle("fail", "UNAVAILABLE");
      if (fate < 0.12) return settle("info", "UNKNOWN_OUTCOME");
      const result = room.send(device.user, clientId, hash, `m${++this.count}`);
      if (typeof result === "string") return settle("fail", result);
      if (fate < 0.2) return settle("info", "UNKNOWN_OUTCOME");
      settle("ok", { message: { ...result.message }, ...(result.duplicate && { duplicate: true }) });
    });
    if (fate < 0.2 && this.chance(0.8))
      this.later(200 + this.random() * 500, () => device.open && this.send(device, room, clientId, hash));
  }

  private change(device: Device, room: ModelRoom, message: string, hash: string | null): void {
    const asked: Asked =
      hash === null ? { op: "delete", room: room.id, message } : { op: "edit", room: room.id, message, hash };
    this.ask(device, asked, settle => this.settle(settle, room.change(message, device.user, hash)));
  }

  private reacts(device: Device, room: ModelRoom, message: string): void {
    this.ask(device, { op: "react", room: room.id, message, emoji: "+", on: true }, settle =>
      this.settle(settle, room.react(message, device.user, "+")),
    );
  }

  private settle(settle: Settle, result: Shown | string): void {
    if (typeof result === "string") settle("fail", result);
    else settle("ok", { message: { ...result } });
  }

  private history(device: Device, room: ModelRoom): void {
    const seq = Math.floor(this.random() * (room.seq + 1));
    const window = this.pick([{}, { before: seq + 1 }, { after: seq }]);
    const limit = this.pick([3, 10, 100]);
    this.ask(device, { op: "history", room: room.id, ...window, limit }, settle => {
      const items = room.page(device.user, { ...window, limit });
      if (typeof items === "string") settle("fail", items);
      else settle("ok", { items: items.map(item => ({ ...item })) });
    });
  }

  private marks(device: Device, room: ModelRoom, op: "read" | "delivered"): void {
    const seq = Math.max(1, room.seq - Math.floor(this.random() * 3));
    if (room.seq === 0) return;
    this.ask(device, { op, room: room.id, seq }, settle => {
      if (!room.members.has(device.user)) return settle("fail", "FORBIDDEN");
      room.mark(op, device.user, seq);
      const marks = op === "read" ? room.reads : room.deliveries;
      for (const other of this.devices)
        if (other.live.has(room.id))
          this.see(other, { what: op, room: room.id, who: device.user, seq: marks.get(device.user) as number });
      settle("ok", {});
    });
  }

  private looks(device: Device, room: ModelRoom | undefined): void {
    const own = room?.messages.filter(({ sender }) => sender === device.user).at(-1);
    if (!room || !own) return this.unread(device);
    this.ask(device, { op: "receipts", room: room.id, message: own.id }, settle => {
      const others = [...room.members].filter(user => user !== own.sender);
      if (!room.find(own.id)) return settle("fail", "NOT_FOUND");
      settle("ok", { receipts: Object.fromEntries(others.map(user => [user, room.receipt(own, user)])) });
    });
  }

  private unread(device: Device): void {
    this.ask(device, { op: "unread" }, settle => {
      const rooms = this.rooms.filter(({ members }) => members.has(device.user));
      settle("ok", {
        unread: rooms.map(room => ({
          room: room.id,
          unread: room.unread(device.user),
          lastSeq: room.seq,
          readSeq: room.reads.get(device.user) ?? 0,
        })),
      });
    });
  }

  private members(room: ModelRoom): void {
    const who = this.pick(this.users.slice(1, -1));
    const change = room.members.has(who) ? "remove" : "join";
    const admin = this.rest(this.users[0] as string);
    this.ask(admin, { op: "member", room: room.id, who, change }, settle => {
      room.member(who, change);
      settle("ok", {});
    });
  }

  private resubscribe(device: Device, room: ModelRoom): void {
    if (!device.live.has(room.id)) return this.subscribe(device, [room], null);
    this.ask(device, { op: "unsubscribe", rooms: [room.id] }, settle => {
      device.live.delete(room.id);
      settle("ok", {});
    });
  }

  private revoke(device: Device): void {
    const { session, sid, user } = device;
    this.ask(this.rest(this.users[0] as string), { op: "revoke", who: user, sid }, settle => {
      settle("ok", {});
      this.later(400, () => device.session === session && this.close(device, 4103, true));
    });
  }

  private connect(device: Device): void {
    if (!this.serving) return this.later(100, () => this.connect(device));
    Object.assign(device, {
      session: `s${++this.count}`,
      sid: `sid${this.count}`,
      door: this.pick(DOORS),
      open: true,
      live: new Set<string>(),
      waiting: new Map<number, Asked>(),
      up: this.now,
      down: this.now,
    });
    this.line(device, { phase: "seen", what: "open", sid: device.sid });
    this.subscribe(device, this.rooms, device.epoch);
  }

  private subscribe(device: Device, rooms: readonly ModelRoom[], epoch: string | null): void {
    const from = Object.fromEntries(
      rooms.map(({ id }) => [id, epoch === null ? null : (device.rooms.get(id) ?? null)]),
    );
    this.ask(device, { op: "subscribe", rooms: from, epoch, n: null }, settle => {
      const starts = rooms.map(
        room => [room, room.start(device.user, from[room.id] ?? null, epoch === null || epoch === this.epoch)] as const,
      );
      device.epoch = this.epoch;
      settle("ok", { rooms: Object.fromEntries(starts.map(([{ id }, start]) => [id, start])), epoch: this.epoch });
      for (const [room, start] of starts) {
        device.live.delete(room.id);
        if (start.state === "denied") continue;
        device.live.add(room.id);
        if (start.state !== "replayed") device.rooms.set(room.id, start.offset);
        else for (const entry of room.log.slice(from[room.id] as number)) this.deliver(device, room, entry);
      }
    });
  }

  private close(device: Device, code: number, back: boolean): void {
    if (!device.open) return;
    this.line(device, { phase: "seen", what: "close", code });
    for (const id of device.waiting.keys()) this.line(device, { phase: "info", id, code: "CLOSED" });
    Object.assign(device, { open: false, live: new Set<string>() });
    if (back) this.later(20 + this.random() * 200, () => this.connect(device));
  }

  private kill(): void {
    this.stage({ what: "fault", name: "kill", target: "server", state: "begin" });
    this.serving = false;
    for (const device of this.devices) this.close(device, 1006, true);
    this.later(400, () => {
      this.serving = true;
      this.stage({ what: "fault", name: "kill", target: "server", state: "end" });
    });
  }

  private restore(backup: readonly number[]): void {
    for (const device of this.devices) this.close(device, 1001, true);
    this.serving = false;
    // What the old store was still to do dies with it.
    const left = this.due.filter(({ act }) => !World.ofStore.has(act)).sort((a, b) => (before(a, b) ? -1 : 1));
    this.due.splice(0, this.due.length, ...left);
    this.stage({ what: "restored" });
    const changed = (room: ModelRoom, from: number): boolean =>
      room.log.slice(from).some(({ kind }) => kind !== "message");
    this.rooms.forEach((room, i) => {
      const length = backup[i] ?? room.offset;
      if (!changed(room, length)) room.restore(length);
    });
    this.epoch = "e1";
    this.later(50, () => (this.serving = true));
  }

  private finish(): void {
    this.stage({ what: "healed" });
    const reader = this.users[0] as string;
    for (const room of this.rooms)
      for (const door of DOORS)
        this.ask({ ...this.rest(reader), door }, { op: "final", room: room.id }, settle =>
          settle("ok", { items: room.messages.map(item => ({ ...item })) }),
        );
    for (const user of this.users.slice(0, -1)) this.unread(this.rest(user));
    const presence = Object.fromEntries(
      this.users.map(user => [
        user,
        this.devices.some(device => device.user === user && device.open) ? "online" : "offline",
      ]),
    );
    this.ask(this.rest(reader), { op: "presence", who: this.users }, settle => settle("ok", { presence }));
  }

  private static readonly ofStore = new WeakSet<() => void>();

  /** Asks now, is carried out a little later, and answered after that. */
  private ask(device: Device, asked: Asked, serve: (settle: Settle) => void): void {
    const id = ++this.count;
    const { session } = device;
    this.line(device, { phase: "invoke", id, ...asked });
    device.waiting.set(id, asked);
    device.up = Math.max(device.up + 0.01, this.now + 1 + this.random() * 15);
    const act = (): void => {
      // A subscription of a socket that is gone is none.
      if (asked.op === "subscribe" && device.session !== session) return;
      if ((asked.op === "subscribe" || asked.op === "unsubscribe") && !device.open) return;
      serve((phase, what) =>
        this.down(device, () => {
          if (!device.waiting.delete(id)) return;
          if (phase === "ok") this.line(device, { phase, id, answer: what as Answer });
          else this.line(device, { phase, id, code: what as string });
        }),
      );
    };
    if (session !== "rest") World.ofStore.add(act);
    this.schedule(device.up, act);
  }

  private publish(room: ModelRoom, entry: ModelEntry): void {
    for (const device of this.devices) {
      if (!device.live.has(room.id)) continue;
      this.deliver(device, room, entry);
      if (entry.member?.user !== device.user || entry.member.change === "join") continue;
      device.live.delete(room.id);
      device.rooms.delete(room.id);
      this.see(device, { what: "unsub", room: room.id, code: "NOT_FOUND" });
    }
  }

  private deliver(device: Device, room: ModelRoom, { message, ...entry }: ModelEntry): void {
    const event = { what: "event" as const, room: room.id, ...entry, ...(message && { message: { ...message } }) };
    this.see(device, event, () => device.rooms.set(room.id, entry.offset));
  }

  private see(device: Device, sight: Sight, then?: () => void): void {
    this.down(device, () => {
      this.line(device, { phase: "seen", ...sight });
      then?.();
    });
  }

  /** Arrives in order, unless the socket is closed before. */
  private down(device: Device, arrive: () => void): void {
    const { session } = device;
    device.down = Math.max(device.down + 0.01, this.now + 1 + this.random() * 15);
    this.schedule(device.down, () => device.session === session && device.open && arrive());
  }

  private device(client: string, user: string): Device {
    return {
      ...{ client, user, session: "", door: "", sid: "", open: false, epoch: null, rooms: new Map<string, number>() },
      ...{ live: new Set<string>(), waiting: new Map<number, Asked>(), up: 0, down: 0 },
    };
  }

  private rest(user: string): Device {
    return { ...this.device(`rest-${user}`, user), session: "rest", door: "http://a", open: true };
  }

  private line({ client, user, session, door }: Device, what: object): void {
    this.lines.push({ t: Math.round(this.now * 1000) / 1000, client, user, session, door, ...what } as HistoryLine);
  }

  private stage(what: object): void {
    this.lines.push({
      t: Math.round(this.now * 1000) / 1000,
      client: "",
      user: "",
      session: "",
      door: "",
      phase: "run",
      ...what,
    } as HistoryLine);
  }

  private later(ms: number, act: () => unknown): void {
    this.schedule(this.now + ms, () => void act());
  }

  /** A heap by time, then by order. */
  private schedule(at: number, act: () => unknown): void {
    const item = { at, n: ++this.count, act: act as () => void };
    let i = this.due.push(item) - 1;
    for (let up = (i - 1) >> 1; i > 0 && before(item, this.due[up] as typeof item); up = (i - 1) >> 1) {
      this.due[i] = this.due[up] as typeof item;
      i = up;
    }
    this.due[i] = item;
  }

  private drain(): void {
    for (let first = this.due[0]; first; first = this.due[0]) {
      const item = this.due.pop() as typeof first;
      if (this.due.length > 0) this.sink(item);
      this.now = first.at;
      first.act();
    }
  }

  private sink(item: World["due"][number]): void {
    let i = 0;
    for (let child = 1; child < this.due.length; child = 2 * i + 1) {
      const right = this.due[child + 1];
      if (right && before(right, this.due[child] as typeof right)) child++;
      if (!before(this.due[child] as typeof item, item)) break;
      this.due[i] = this.due[child] as typeof item;
      i = child;
    }
    this.due[i] = item;
  }

  private random(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let z = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  }

  private chance(share: number): boolean {
    return this.random() < share;
  }

  private pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.random() * all.length)] as T;
  }
}

type Settle = (phase: "ok" | "fail" | "info", what: Answer | string) => void;

const before = (a: { at: number; n: number }, b: { at: number; n: number }): boolean =>
  a.at < b.at || (a.at === b.at && a.n < b.n);
