import { expectStatus, unique, type Client, type Stage, type Origin } from "../support/client";
import { eventually } from "../support/eventually";
import { differences, disagreement } from "./compare";
import { Device, type Around } from "./device";
import { fetchRoom, restOf, STYLES, type Style } from "./fetched";
import type { Answer, Wire } from "./lines/line";
import type { Fetched, OutOfSight } from "./model";
import { operationOf, OPERATIONS } from "./operations";
import type { Plan, Step } from "./plan";

/** Milliseconds in which a room takes its members. */
const PATIENCE = 60_000;
/** Milliseconds between two looks at whether everybody knows what is so. */
const LOOK = 50;

const STYLE_NAMES = Object.keys(STYLES) as Style[];

/** A history as it happens: its people, their devices and the room they are in. */
export class Scene implements Around {
  readonly devices: readonly Device[];
  /** What was sent, by the number of the send: known once it was acknowledged. */
  readonly sent = new Map<number, { id: string; seq: number }>();
  /** What was asked to be sent. */
  readonly bodies = new Map<number, { body: Record<string, unknown>; person: number }>();
  /** What was answered that cannot be. */
  readonly faults: string[] = [];
  private readonly files = new Map<number, Promise<string>>();
  private readonly cuts = new Map<number, number>();
  private readonly asked = new Map<number, Map<string, number>>();
  private readonly gone = new Map<number, Set<string>>();
  /** The last steps of a phase: they are under way when trouble comes. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly plan: Plan,
    private readonly origin: Origin,
    readonly people: readonly Client[],
    readonly room: string,
  ) {
    this.devices = plan.devices.map(
      ({ person, wire }, n) =>
        new Device(`device ${n} (person ${person}, ${wire})`, wire, person, this.personOf(person), this),
    );
  }

  /** Makes the room and lets all devices in. */
  static async open(plan: Plan, stage: Stage<Origin>, people: readonly Client[]): Promise<Scene> {
    const scene = new Scene(plan, stage.server, people, await roomOf(plan, stage, people));
    if (scene.isDirect) await Promise.all(people.map((_, person) => scene.recall(person)));
    await Promise.all(scene.devices.map(device => device.comeBack()));
    return scene;
  }

  get url(): string {
    return this.origin.url;
  }

  get wsUrl(): string {
    return this.origin.wsUrl;
  }

  get isDirect(): boolean {
    return this.plan.kind === "direct";
  }

  get cutsBefore(): boolean {
    return this.plan.history === "joined";
  }

  /** Of the room, over REST. */
  get path(): string {
    const { kind } = this.plan;
    return `/api/${kind === "group" || kind === "direct" ? "conversations" : "channels"}/${this.room}`;
  }

  personOf(person: number): Client {
    return this.people[person % this.people.length] as Client;
  }

  /** Somebody's device that is there, `rather` this one; null: all are away. */
  deviceOf(person: number, rather?: Device): Device | null {
    const his = this.devices.filter(device => device.person === person && !device.away);
    return (rather && his.includes(rather) ? rather : his[0]) ?? null;
  }

  cutsOf(person: number): number {
    return this.cuts.get(person) ?? 0;
  }

  outOfSightOf(person: number): OutOfSight {
    return this.hiddenOf(person);
  }

  /** What a person has out of his sight for sure. */
  hidden(person: number): Set<string> {
    const known = this.gone.get(person) ?? new Set<string>();
    this.gone.set(person, known);
    return known;
  }

  /** Whether somebody runs the room, or may say there what they may who run it. */
  runs(user: string): "always" | "never" | "sometimes" {
    const { kind, phases } = this.plan;
    const person = this.people.findIndex(({ id }) => id === user);
    if (kind === "group" || kind === "direct" || person === 0) return "always";
    const role = phases
      .flat()
      .some(({ op, args }) => op === "add" && args["person"] === person && args["role"] === "moderator");
    return role ? "sometimes" : "never";
  }

  /** The one direct room of two people may be one of an earlier history, where they had messages out of their sight. */
  private async recall(person: number): Promise<void> {
    const asked = (): Promise<Fetched | null> => this.fetch(this.personOf(person), "messages").catch(() => null);
    const fetched = await eventually("the room as it was", asked, Boolean, PATIENCE);
    const { head, messages } = fetched as Fetched;
    const shown = new Set(messages.map(({ seq }) => seq));
    for (let seq = 1; seq <= head.seq; seq += 1)
      if (!shown.has(seq)) this.hides(person, { id: `hidden-before-${seq}`, seq });
  }

  /** A person is about to have a message out of his sight. */
  hides(person: number, { id, seq }: { id: string; seq: number }): void {
    this.hiddenOf(person).set(id, seq);
  }

  private hiddenOf(person: number): Map<string, number> {
    const known = this.asked.get(person) ?? new Map<string, number>();
    this.asked.set(person, known);
    return known;
  }

  /** Whenever it happens, it is between the two. */
  async takingOut(person: number, work: () => Promise<void>): Promise<void> {
    const count = (): void => void this.cuts.set(person, this.cutsOf(person) + 1);
    count();
    await work().finally(count);
  }

  /** The id of the message that the thread of a send began with, itself if it is in none. */
  threadOf(send: number): string | undefined {
    return (this.bodies.get(send)?.body["threadId"] as string | undefined) ?? this.sent.get(send)?.id;
  }

  fetch(client: Client, what: "everything" | "messages"): Promise<Fetched | null> {
    return fetchRoom(client, this.path, this.room, "before", what);
  }

  /** The id of a file of his, the same for all his messages. */
  fileOf(person: number): Promise<string> {
    const known = this.files.get(person) ?? this.upload(this.personOf(person));
    this.files.set(person, known);
    return known;
  }

  /**
   * Does the steps of a phase, and before the last ones waits until everybody who is there knows what is so: what trouble
   * would make good by itself is seen first. Resolves when the last ones have begun, with what still differed before.
   */
  async play(phase: readonly Step[], patience: number): Promise<string[]> {
    const all = batches(phase);
    let left: string[] = [];
    for (const [n, together] of all.entries()) {
      if (n === all.length - 1) left = await this.quiet(patience);
      await this.last;
      this.last = Promise.all(
        together.map(async ({ op, by, args }) => operationOf(op).run(args, this.devices[by] as Device, this)),
      );
      this.last.catch(() => undefined);
    }
    return left;
  }

  /** After trouble: what was under way is known, and who was there is there again. */
  async recover(): Promise<void> {
    const back = this.devices.map(device => device.tend());
    await this.last;
    await Promise.all(back);
  }

  /** Everybody comes back; what then still differs after so many milliseconds. Empty: everything is as it must be. */
  async settle(patience: number): Promise<string[]> {
    await this.last;
    await Promise.all(this.devices.map(device => device.comeBack()));
    return this.quiet(patience);
  }

  /** What differs in the end, of those who are there. */
  private async quiet(patience: number): Promise<string[]> {
    await this.last;
    for (const end = performance.now() + patience; ; await new Promise(resolve => setTimeout(resolve, LOOK))) {
      await Promise.all(this.devices.map(device => device.tend()));
      // A node that was in trouble may not be missed by the others yet.
      const left = await this.look().catch((error: unknown) => [`could not be fetched: ${String(error)}`]);
      const broken = this.broken();
      if (broken.length > 0 || left.length === 0 || performance.now() > end) return [...broken, ...left];
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.devices.map(device => device.end()));
  }

  private broken(): string[] {
    return [...this.faults, ...this.devices.flatMap(({ name, broken }) => broken.map(fault => `${name}: ${fault}`))];
  }

  /** What each device knows against what its person can fetch: so all devices of a person agree if nothing differs. */
  private async look(): Promise<string[]> {
    const all = await Promise.all(this.people.map((_, person) => this.lookAt(person)));
    const heads = this.devices.flatMap(({ wire, away, outside, model: { offset } }) =>
      wire.knows.offsets && !away && !outside && offset !== null ? [offset] : [],
    );
    const differ = new Set(heads).size > 1 ? [`devices are at offsets ${heads.join(", ")}`] : [];
    return [...all.flat(), ...differ];
  }

  private async lookAt(person: number): Promise<string[]> {
    const client = this.personOf(person);
    const style = STYLE_NAMES[(this.plan.seed + person) % STYLE_NAMES.length] as Style;
    const fetched = await fetchRoom(client, this.path, this.room, style);
    const found: string[] = [];
    for (const device of this.devices.filter(one => one.person === person && !one.away)) {
      device.hear();
      const { name, model, wire, outside } = device;
      const isFor = fetched !== null && lets(fetched, client.id, wire);
      if (outside === isFor)
        found.push(`${name}: ${outside ? "was kept out of" : "was let into"} what is ${isFor ? "" : "not "}for it`);
      if (outside || !fetched) continue;
      const differ = differences(model, fetched, wire.knows, this.cutsBefore);
      const more =
        differ.length > 0 ? [] : OPERATIONS.map(({ compare }) => compare?.(model, fetched, this, device) ?? []);
      found.push(...[...differ, ...(await Promise.all(more)).flat()].map(text => `${name}: ${text}`));
    }
    if (person !== 0 || !fetched) return found;
    for (const other of STYLE_NAMES) {
      const messages = await STYLES[other](client, this.path, fetched.head.seq);
      found.push(...disagreement([style, fetched.messages], [other, messages]));
    }
    return found;
  }

  private async upload(client: Client): Promise<string> {
    for (;;) {
      const answer = await client
        .raw("POST", "/api/files?name=note.txt", "a note", { "content-type": "text/plain" })
        .catch(() => null);
      if (answer?.status === 201) return answer.body.id as string;
      if (answer && answer.status < 500) throw new Error(`upload: ${answer.status} ${JSON.stringify(answer.body)}`);
      await new Promise(resolve => setTimeout(resolve, LOOK));
    }
  }
}

/** Over the wires of others one comes in to hear of a room, and nobody comes into an archived one. */
const lets = ({ room, members }: Fetched, user: string, { knows }: Wire): boolean =>
  knows.everything || room?.archivedAt === undefined || members.some(({ userId }) => userId === user);

/** Those that begin together. */
function batches(steps: readonly Step[]): Step[][] {
  const all: Step[][] = [];
  for (const step of steps) {
    const last = all.at(-1);
    if (step.beside && last) last.push(step);
    else all.push([step]);
  }
  return all;
}

/** The first of the people runs it, with the admin where it is a channel; the last one of three or four is not in it yet. */
async function roomOf({ kind, history }: Plan, stage: Stage<Origin>, people: readonly Client[]): Promise<string> {
  const [first, ...others] = people as [Client, ...Client[]];
  const there = others.length > 1 ? others.slice(0, -1) : others;
  if (kind === "direct") return stage.direct(first, others[0] as Client);
  if (kind === "group") {
    const body = { type: "group", members: there.map(({ id }) => id), name: unique("group"), history };
    return expectStatus(await first.post("/api/conversations", body), 201).body.id as string;
  }
  const room = await stage.channel([], { isPrivate: kind === "private" });
  if (history === "joined") expectStatus(await stage.admin.patch(`/api/channels/${room}`, { history }), 200);
  const add = async (userId: string, role: string): Promise<void> => {
    const adding = { method: "POST", path: `/api/channels/${room}/members`, body: { userId, role } };
    // All histories of a group begin at once, and a cluster that has just come up may not keep up with them.
    const asked = (): Promise<Answer> => restOf(stage.admin, adding);
    const answer = await eventually("a member", asked, ({ state }) => state !== "again", PATIENCE);
    if (answer.state !== "ok") throw new Error(`no member: ${JSON.stringify(answer)}`);
  };
  await add(first.id, "owner");
  for (const { id } of there) await add(id, "member");
  return room;
}
