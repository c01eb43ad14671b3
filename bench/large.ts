import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type WebSocket from "ws";
import { Door, forAll, reader, sendFor, type Heard } from "./large/crowd";
import type { Ground } from "./load/crowd";
import { cpuOf, memoryOf, total } from "./load/proc";
import { startEmbedded, type Embedded } from "./subjects/embedded";
import { mustBeBuilt, TEXT_BYTES } from "./subjects/product";
import { moveSelf, pinServers } from "./support/cores";
import { seededFolder } from "./support/ground";
import { count, fixed, printTable } from "./support/table";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/large.ts [--members 10000] [--readers 1000] [--seconds 5]
A public channel of so many members, as one process on its own store: what it costs that they join, what their list costs at
its beginning and at its end, and how many messages a second go into it before so many active readers and as many passive.`;

const PASSWORD = "a-password-for-this-bench";
/** Requests, and connections being opened, at a time. */
const AT_ONCE = 32;
const WINDOW = 16;
const ROUNDS = 40;

interface Place {
  server: Embedded;
  door: Door;
  room: string;
  /** Of the members. */
  tokens: string[];
}

async function makeRoom({ port }: Embedded, door: Door): Promise<{ room: string; admin: string }> {
  const login = { username: "admin", password: PASSWORD };
  const answer = await fetch(`http://127.0.0.1:${port}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(login),
  });
  const { accessToken: admin } = (await answer.json()) as { accessToken: string };
  const { id: room } = await door.call<{ id: string }>("POST", "/api/channels", admin, { name: "everybody" });
  return { room, admin };
}

async function joins({ server, door, room, tokens }: Place, admin: string): Promise<void> {
  const cpu = total(cpuOf(server.watched()));
  const began = performance.now();
  await forAll(tokens, AT_ONCE, token => door.call("POST", `/api/channels/${room}/join`, token));
  const seconds = (performance.now() - began) / 1_000;
  const spent = total(cpuOf(server.watched())) - cpu;
  const { memberCount } = await door.call<{ memberCount: number }>("GET", `/api/channels/${room}`, admin);
  console.log(
    `${count(tokens.length)} joins, ${AT_ONCE} at a time: ${fixed(seconds, 1)} s, ${count(tokens.length / seconds)}/s, ` +
      `${fixed((1e3 * spent) / tokens.length)} ms of CPU each; ${count(memberCount)} members`,
  );
}

async function lists({ door, room, tokens }: Place): Promise<void> {
  const token = tokens[0] as string;
  const path = `/api/channels/${room}/members`;
  const pages = Math.ceil(tokens.length / 100);
  type Range = { items: { userId: string; username: string }[] };
  const ids: string[] = [];
  for (let after = "", more = true; more; after = ids.at(-1) as string) {
    const range = await door.call<Range & { hasAfter: boolean }>(
      "GET",
      `${path}?limit=100${after && `&afterUser=${after}`}`,
      token,
    );
    ids.push(...range.items.map(({ userId }) => userId));
    more = range.hasAfter;
  }
  const [first] = (await door.call<Range>("GET", `${path}?limit=1`, token)).items;
  const name = first?.username ?? "";
  const questions = {
    "page, first of 100": "?page=1&pageSize=100",
    [`page, number ${pages}`]: `?page=${pages}&pageSize=100`,
    "range, first of 100": "?limit=100",
    "range, last of 100": `?limit=100&afterUser=${ids.at(-101)}`,
    "by a prefix of all": `?prefix=${name.slice(0, 2)}`,
    "by a whole name": `?prefix=${name}`,
  };
  const rows: string[][] = [];
  for (const [what, query] of Object.entries(questions)) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now();
      await door.call("GET", path + query, token);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    rows.push([what, fixed(times[ROUNDS >> 1] as number), fixed(times[Math.floor(ROUNDS * 0.9)] as number)]);
  }
  printTable(`the list of ${count(ids.length)} members over REST`, ["", "median ms", "p90 ms"], rows);
}

async function sends(place: Place, readers: number, seconds: number): Promise<void> {
  const { server, room, tokens } = place;
  const rows: string[][] = [];
  for (const [active, passive] of [
    [0, 0],
    [0, readers],
    [readers, 0],
    [readers, readers],
    [2 * readers, 0],
  ] as const) {
    const heard: Record<"active" | "passive", Heard> = { active: { frames: 0 }, passive: { frames: 0 } };
    const wanted = [
      ...tokens.slice(0, active).map(token => ({ token, mode: "active" as const })),
      ...tokens.slice(active, active + passive).map(token => ({ token, mode: "passive" as const })),
    ];
    const sockets: WebSocket[] = [];
    await forAll(wanted, AT_ONCE, async ({ token, mode }) => {
      sockets.push(await reader(server.port, token, room, mode, heard[mode]));
    });
    const order = { window: WINDOW, text: "x".repeat(TEXT_BYTES) };
    await sendFor(server.port, tokens.at(-1) as string, room, { ...order, seconds: 1 });
    const cpu = total(cpuOf(server.watched()));
    const before = { active: heard.active.frames, passive: heard.passive.frames };
    const began = performance.now();
    const sent = await sendFor(server.port, tokens.at(-1) as string, room, { ...order, seconds });
    const took = (performance.now() - began) / 1_000;
    const spent = total(cpuOf(server.watched())) - cpu;
    const each = (mode: "active" | "passive", of: number): string =>
      of === 0 ? "-" : fixed((heard[mode].frames - before[mode]) / of, 1);
    rows.push([
      `${count(active)} active, ${count(passive)} passive`,
      count(sent / took),
      fixed((1e6 * spent) / sent, 0),
      each("active", active),
      each("passive", passive),
      fixed(total(memoryOf(server.watched())) / 2 ** 20, 0),
    ]);
    for (const socket of sockets) socket.terminate();
  }
  const head = ["readers", "sends/s", "CPU us/send", "frames each active", "each passive", "RSS MiB"];
  printTable(`one sender, ${WINDOW} under way, ${seconds} s`, head, rows);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      members: { type: "string", default: "10000" },
      readers: { type: "string", default: "1000" },
      seconds: { type: "string", default: "5" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  const [members, readers, seconds] = [values.members, values.readers, values.seconds].map(Number) as [
    number,
    number,
    number,
  ];
  if (2 * readers >= members) throw new Error("--members: more than twice the readers");
  mustBeBuilt();
  pinServers();
  const { dataDir, ground } = await seededFolder({ users: members, groups: {}, messages: 0 });
  const { tokens } = JSON.parse(readFileSync(ground, "utf8")) as Ground;
  const env = { ADMIN_PASSWORD: PASSWORD, LIMIT_LARGE_ROOM: String(Math.min(1_000, members / 10)) };
  const server = await startEmbedded({ dataDir, env });
  moveSelf();
  const door = new Door(server.port);
  const { room, admin } = await makeRoom(server, door);
  const place = { server, door, room, tokens };
  const resident = (): string => `${fixed(total(memoryOf(server.watched())) / 2 ** 20, 0)} MiB resident`;
  console.log(`started: ${resident()}`);
  await joins(place, admin);
  console.log(`joined: ${resident()}`);
  await lists(place);
  await sends(place, readers, seconds);
  door.close();
}

run(main);
