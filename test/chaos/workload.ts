import { setTimeout as pause } from "node:timers/promises";
import type { Account } from "./account";
import type { Cast, Room } from "./cast";
import { lie } from "./liar";
import { pick, some, whole } from "./random";
import type { Recorder, Surroundings } from "./recorder";
import { hashOf } from "./shown";

/** What clients do, each so many times a second over all of them. */
export interface Rates {
  /** Over the socket, over REST, and what was acknowledged before. */
  send: number;
  post: number;
  again: number;
  /** Many sends at once over one socket. */
  burst: number;
  edit: number;
  remove: number;
  react: number;
  history: number;
  /** History over REST. */
  page: number;
  read: number;
  delivered: number;
  typing: number;
  watch: number;
  unread: number;
  receipts: number;
  /** A client is away for a while. */
  away: number;
  /** A client leaves a room it follows, and follows it again. */
  turn: number;
  /** A member is removed or leaves, and comes again later. */
  member: number;
  /** Somebody new joins. */
  newcomer: number;
  /** A session is ended. */
  revoke: number;
  /** A client that lies about where it was. */
  lie: number;
}

/** @param rate sends a second, of any kind @param clients of the run */
export const ratesFor = (rate: number, clients: number): Rates => ({
  send: rate * 0.84,
  post: rate * 0.1,
  again: rate * 0.04,
  burst: rate / 1_000,
  edit: rate * 0.05,
  remove: rate * 0.02,
  react: rate * 0.06,
  history: rate * 0.05,
  page: rate * 0.02,
  read: rate * 0.08,
  delivered: rate * 0.08,
  typing: rate * 0.02,
  watch: 0.3,
  unread: 0.5,
  receipts: 0.5,
  away: clients / 60,
  turn: 0.3,
  member: 0.2,
  newcomer: 0.2,
  revoke: 0.1,
  lie: 0.1,
});

/** Sends of one burst, and open sends of a client beyond which it says nothing new. */
const BURST = 200;
const FULL = 30;
/** Milliseconds of a turn of the workload, and of one beat of the clients. */
const TICK = 20;
const BEAT = 500;
/** Milliseconds that a client and a member are away at most. */
const AWAY = 8_000;
const OUT = 6_000;
/** Share of marks that say less than the device knows: no mark may go back by it. */
const BEHIND = 0.2;
/** Users of a run of whom one leaves before its end. */
const MANY = 4;
/** Milliseconds between tries of a change of membership. */
const AGAIN = 500;
const EMOJI = ["👍", "🎉", "❤️", "eyes"];
const WORDS = "rook crow jackdaw raven magpie chough jay nutcracker treepie".split(" ");

/** Makes the clients of a run do what clients do, by a seeded random, at given rates. */
export class Workload {
  private readonly owed = new Map<keyof Rates, number>();
  /** Changes of membership under way: room and user. */
  private readonly changing = new Map<string, Promise<void>>();
  private readonly others = new Set<Promise<void>>();
  private timers: NodeJS.Timeout[] = [];
  private said = 0;
  private stopping = false;
  private over = false;

  constructor(
    private readonly cast: Cast,
    private readonly with_: Surroundings,
    private readonly rates: Rates,
  ) {}

  /** Every client follows the rooms of its user and connects. */
  start(): void {
    for (const client of this.cast.clients) {
      for (const room of this.cast.rooms) if (room.members.has(client.account.user)) client.follow(room.id);
      client.start();
    }
    let last = performance.now();
    const turn = (): void => {
      const now = performance.now();
      // A run that was held up does not make up for it.
      this.turn(Math.min(now - last, 10 * TICK) / 1_000);
      last = now;
    };
    this.timers = [setInterval(turn, TICK), setInterval(() => this.beat(), BEAT)];
  }

  /** Nobody begins anything new; who was away or removed comes back. Resolves when nothing of it is under way. */
  async quiet(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timers[0]);
    for (const client of this.cast.clients) client.outbox.hurry();
    await Promise.all([...this.changing.values(), ...this.others]);
    this.oneLeaves();
  }

  /** With all his devices and for good, so that somebody must be told to be gone. */
  private oneLeaves(): void {
    const { devices } = this.cast;
    if (devices.size < MANY) return;
    for (const client of pick(this.random, [...devices.values()]) ?? []) client.stop();
  }

  /** Every client leaves. */
  stop(): void {
    this.over = true;
    for (const timer of this.timers) clearInterval(timer);
    for (const client of this.cast.clients) client.stop();
  }

  private beat(): void {
    for (const client of this.cast.clients) {
      if (this.stopping) client.outbox.hurry();
      client.beat();
    }
  }

  private turn(seconds: number): void {
    for (const name of Object.keys(this.rates) as (keyof Rates)[]) {
      let owed = (this.owed.get(name) ?? this.with_.random()) + this.rates[name] * seconds;
      for (; owed >= 1; owed -= 1) this.acts[name]();
      this.owed.set(name, owed);
    }
  }

  private readonly acts: Record<keyof Rates, () => void> = {
    send: () => this.inRoom((client, room) => client.outbox.size < FULL && client.say(room, this.text())),
    post: () => this.inRoom((client, room) => client.outbox.size < FULL && client.say(room, this.text(), true)),
    again: () => {
      const client = this.client();
      const letter = client && pick(this.random, client.outbox.old);
      if (!letter) return;
      const { devices } = this.cast;
      const other = pick(this.random, devices.get(client.account.user)?.filter(({ isReady }) => isReady) ?? []);
      (other ?? client).again(letter, this.random() < 0.2);
    },
    burst: () =>
      this.inRoom((client, room) =>
        client.burst(
          room,
          Array.from({ length: BURST }, () => this.text()),
        ),
      ),
    edit: () =>
      this.own((client, { room, id: message }) => {
        const text = `edited ${++this.said} ${this.text()}`;
        client.ask({ op: "edit", room, message, hash: hashOf(text) }, { t: "edit", room, id: message, text });
      }),
    remove: () =>
      this.own((client, { room, id: message }) =>
        client.ask({ op: "delete", room, message }, { t: "delete", room, id: message }),
      ),
    react: () =>
      this.inRoom((client, room) => {
        const message = pick(this.random, client.rooms.get(room)?.recent ?? []);
        const [emoji, on] = [pick(this.random, EMOJI) as string, this.random() < 0.7];
        if (message !== undefined)
          client.ask({ op: "react", room, message, emoji, on }, { t: "react", room, id: message, emoji, on });
      }),
    history: () =>
      this.inRoom((client, room) => {
        const seq = client.rooms.get(room)?.seq ?? 0;
        const window = pick(this.random, [{}, { before: seq + 1 }, { after: Math.max(0, seq - 20) }]) ?? {};
        client.history(room, window, whole(this.random, 1, 50));
      }),
    page: () =>
      this.inRoom(({ account, rooms }, room) => {
        const after = Math.max(0, (rooms.get(room)?.seq ?? 0) - whole(this.random, 0, 40));
        const path = `/api/channels/${room}/messages?after=${after}&limit=50`;
        this.background(account.ask({ op: "history", room, after, limit: 50 }, "GET", path));
      }),
    read: () => this.mark("read"),
    delivered: () => this.mark("delivered"),
    typing: () => this.inRoom((client, room) => client.tell({ t: "typing", room, on: true })),
    watch: () => {
      const users = some(this.random, [...this.cast.devices.keys()], 10);
      this.client()?.ask({ op: "presence", who: users }, { t: "watch", users });
    },
    unread: () => this.background(this.client()?.account.ask({ op: "unread" }, "GET", "/api/unread")),
    receipts: () =>
      this.own(({ account }, { room, id: message }) =>
        this.background(account.ask({ op: "receipts", room, message }, "GET", `/api/messages/${message}/receipts`)),
      ),
    away: () => this.client()?.pause(whole(this.random, 0, AWAY), this.random() < 0.5),
    turn: () =>
      this.inRoom((client, room) => {
        client.unfollow(room);
        this.background(pause(whole(this.random, 0, 2_000)).then(() => this.follow(room, client)));
      }),
    member: () => {
      const room = pick(
        this.random,
        this.cast.rooms.filter(({ kind, members }) => kind !== "direct" && members.size > 3),
      );
      const user = room && pick(this.random, this.users(room.members));
      if (room && user !== undefined) this.change(room, user, () => this.outAndIn(room, user));
    },
    newcomer: () => {
      const room = pick(
        this.random,
        this.cast.rooms.filter(({ kind }) => kind !== "direct"),
      );
      const user =
        room &&
        pick(
          this.random,
          [...this.cast.devices.keys()].filter(one => !room.members.has(one)),
        );
      if (room && user !== undefined) this.change(room, user, () => this.come(room, user));
    },
    revoke: () => this.background(this.client()?.account.revoke()),
    lie: () => {
      const client = this.client();
      if (client)
        this.background(
          lie(client, { ...this.with_, cast: this.cast }).then(complaints => {
            for (const what of complaints) this.with_.misbehaved(what);
          }),
        );
    },
  };

  private get random(): () => number {
    return this.with_.random;
  }

  private text(): string {
    const length = whole(this.random, 1, 12);
    return Array.from({ length }, () => pick(this.random, WORDS)).join(" ");
  }

  /** One that is connected. */
  private client(): Recorder | undefined {
    const { clients } = this.cast;
    for (let tries = 0; tries < 5; tries += 1) {
      const client = pick(this.random, clients);
      if (client?.isReady) return client;
    }
    return undefined;
  }

  private inRoom(act: (client: Recorder, room: string) => unknown): void {
    const client = this.client();
    const room = client && pick(this.random, [...client.rooms.keys()]);
    if (room !== undefined) act(client as Recorder, room);
  }

  private own(act: (client: Recorder, message: { room: string; id: string }) => void): void {
    const client = this.client();
    const message = client && pick(this.random, client.own);
    if (message) act(client as Recorder, message);
  }

  private mark(op: "read" | "delivered"): void {
    this.inRoom((client, room) => {
      const last = client.rooms.get(room)?.seq ?? 0;
      if (last === 0) return;
      const seq = this.random() < BEHIND ? whole(this.random, 1, last) : last;
      client.ask({ op, room, seq }, { t: op, room, seq });
    });
  }

  private users(members: ReadonlySet<string>): string[] {
    return [...members].filter(user => this.cast.devices.has(user));
  }

  private follow(id: string, client: Recorder): void {
    const room = this.cast.rooms.find(one => one.id === id);
    if (room?.members.has(client.account.user)) client.follow(id);
  }

  /** One change of a membership at a time. */
  private change(room: Room, user: string, act: () => Promise<void>): void {
    const key = `${room.id} ${user}`;
    if (this.changing.has(key)) return;
    room.changing.add(user);
    const ended = (): void => {
      room.changing.delete(user);
      this.changing.delete(key);
    };
    this.changing.set(key, act().finally(ended));
  }

  private async outAndIn(room: Room, user: string): Promise<void> {
    const { admin } = this.cast;
    const own = this.account(user);
    room.members.delete(user);
    if (own && this.random() < 0.3) await this.surely(own, room, user, "leave");
    else await this.surely(admin, room, user, "remove");
    await pause(whole(this.random, 0, OUT));
    await this.come(room, user);
  }

  private async come(room: Room, user: string): Promise<void> {
    const own = this.account(user);
    const invited = room.kind === "private" || !own || this.random() < 0.5;
    await this.surely(invited ? this.cast.admin : own, room, user, "join");
    room.members.add(user);
    for (const client of this.cast.devices.get(user) ?? []) client.follow(room.id);
  }

  private account(user: string): Account | undefined {
    return pick(this.random, this.cast.devices.get(user) ?? [])?.account;
  }

  /** Asks until it is so, or the run is over. */
  private async surely(by: Account, room: Room, who: string, change: "join" | "leave" | "remove"): Promise<void> {
    const asked = { op: "member", room: room.id, who, change } as const;
    const base = `/api/channels/${room.id}`;
    while (!this.over) {
      const outcome =
        change === "remove"
          ? await by.ask(asked, "DELETE", `${base}/members/${who}`)
          : by.user === who
            ? await by.ask(asked, "POST", `${base}/${change}`)
            : await by.ask(asked, "POST", `${base}/members`, { userId: who });
      // He is no member any more, or one already.
      const is = outcome.state === "ok" || outcome.code === "NOT_FOUND" || outcome.code === "CONFLICT";
      if (is) return;
      if (outcome.code === "FORBIDDEN" || outcome.code === "INVALID")
        return this.with_.misbehaved(`${change} of ${who}: ${outcome.code}`);
      await pause(AGAIN);
    }
  }

  private background(work: Promise<unknown> | undefined): void {
    if (!work) return;
    const guarded = work
      .then(() => undefined)
      .catch((error: unknown) => this.with_.misbehaved(String(error)))
      .finally(() => this.others.delete(guarded));
    this.others.add(guarded);
  }
}
