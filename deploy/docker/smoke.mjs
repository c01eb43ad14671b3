// A conversation against a running cluster, by its public doors alone, and what must hold of it.
//
//   NODE_EXTRA_CA_CERTS=deploy/proxy/tls/server.crt node deploy/docker/smoke.mjs [ORIGIN] [--seconds N] [--sockets N]
//     [--kill SERVICE,SERVICE]   kills one container of each with SIGKILL in the middle of it, and starts it again
//
// Three people write to a group over sockets. Everybody comes back after a break, resumes after the last offset he has, and
// says again under the same clientId what was not answered. At the end every reader has every acknowledged message, once,
// in the same order, without a hole, and so has history over REST. Ends with 1 otherwise.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "20" },
    sockets: { type: "string", default: "8" },
    kill: { type: "string", default: "" },
  },
});
const origin = positionals[0] ?? "https://localhost:8443";
/** Milliseconds: for one answer; between tries; between one's messages; until everybody has caught up. */
const ANSWER = 10_000;
const BREATH = 250;
const PACE = 150;
const CATCH_UP = 60_000;

const tell = text => console.log(`${new Date().toISOString().slice(11, 23)} ${text}`);
const faults = [];
const check = (holds, text) => {
  tell(`${holds ? "ok  " : "FAIL"} ${text}`);
  if (!holds) faults.push(text);
};

async function rest(method, path, { token, body } = {}) {
  for (const until = Date.now() + CATCH_UP; ; await pause(BREATH)) {
    const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${origin}/api${path}`, { method, headers, body: body && JSON.stringify(body) }).catch(
      error => ({ ok: false, status: 0, json: async () => ({ code: String(error.cause?.code ?? error) }) }),
    );
    const value = await answer.json().catch(() => null);
    if (answer.ok) return value;
    // Away or busy: later. An account that was made in an unknown outcome is taken, and would be told apart.
    const again = [0, 429, 502, 503, 504].includes(answer.status);
    if (!again || Date.now() > until) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(value)}`);
  }
}

/** One socket of a user that comes back and resumes by itself, keeping what it saw of the room in the order it came. */
class Reader {
  events = [];
  breaks = 0;
  resets = 0;
  #waiting = new Map();
  #next = 1;
  #socket = null;
  #greeted = false;
  #ended = false;

  constructor(user, room) {
    this.user = user;
    this.room = room;
  }

  get connected() {
    return this.#greeted;
  }

  get last() {
    return this.events.at(-1)?.offset ?? 0;
  }

  async run() {
    while (!this.#ended) {
      await this.#once().catch(() => undefined);
      for (const { reject } of this.#waiting.values()) reject(new Error("closed"));
      this.#waiting.clear();
      if (!this.#ended) await pause(BREATH);
    }
  }

  end() {
    this.#ended = true;
    this.#socket?.close();
  }

  /** The answer to one frame. Rejects when the socket breaks or nobody answers. */
  async ask(frame) {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) throw new Error("not connected");
    const i = this.#next++;
    const { promise, resolve, reject } = withResolvers();
    const timer = setTimeout(() => reject(new Error("no answer")), ANSWER);
    this.#waiting.set(i, { resolve, reject });
    socket.send(JSON.stringify({ ...frame, i }));
    return promise.finally(() => (clearTimeout(timer), this.#waiting.delete(i)));
  }

  async #once() {
    const socket = new WebSocket(`${origin.replace(/^http/, "ws")}/ws`, "rookery.v1");
    const closed = new Promise(resolve => socket.once("close", resolve));
    socket.on("message", data =>
      String(data)
        .split("\n")
        .forEach(line => this.#take(JSON.parse(line))),
    );
    socket.on("error", () => undefined);
    if (!(await Promise.race([new Promise(open => socket.once("open", () => open(true))), closed.then(() => false)])))
      return;
    this.#socket = socket;
    const hello = await this.ask({ t: "hello", token: this.user.accessToken, rooms: { [this.room]: this.last } });
    const state = hello.rooms?.[this.room]?.state;
    this.#greeted = hello.t === "welcome" && state !== "denied";
    if (!this.#greeted) socket.close();
    if (state === "reset") this.resets += 1;
    await closed;
    this.#socket = null;
    this.#greeted = false;
    if (!this.#ended) this.breaks += 1;
  }

  #take(frame) {
    if (frame.t === "event" && frame.room === this.room) this.events.push(frame);
    else if (frame.t === "unsub" || frame.t === "reset") this.#socket?.close();
    else if (frame.i !== undefined) this.#waiting.get(frame.i)?.resolve(frame);
  }
}

/** Says one message after the other; what has no answer is said again under its clientId until it has one. */
async function speak(reader, name, stop) {
  const said = [];
  for (let n = 1; !stop.aborted; n += 1) {
    const one = { clientId: `${name}-${n}`, text: `${name} says ${n}`, tries: 0 };
    said.push(one);
    while (!one.message) {
      one.tries += 1;
      const answer = await reader
        .ask({ t: "send", room: reader.room, ...pick(one) })
        .catch(error => ({ code: error.message }));
      if (answer.t === "ok") one.message = answer.message;
      else if (answer.code === "RATE_LIMITED") await pause(answer.retryAfterMs ?? 1_000);
      else if (answer.t === "err" && !["UNAVAILABLE", "UNKNOWN_OUTCOME"].includes(answer.code))
        throw new Error(`${one.clientId}: ${JSON.stringify(answer)}`);
      else await pause(BREATH);
    }
    await pause(PACE);
  }
  return said;
}

const pick = ({ clientId, text }) => ({ clientId, text });
const docker = (...args) => execFileSync("docker", args, { encoding: "utf8" }).trim();

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ((resolve = yes), (reject = no)));
  return { promise, resolve, reject };
}

async function killOne(service, readers) {
  const [victim] = docker("compose", "ps", "-q", service).split("\n");
  const before = readers.map(({ breaks }) => breaks);
  docker("kill", "-s", "KILL", victim);
  tell(`killed a ${service} (${victim.slice(0, 12)})`);
  await pause(3_000);
  const broken = readers.filter(({ breaks }, at) => breaks > before[at]).length;
  tell(`${broken} of ${readers.length} sockets broke`);
  if (service === "ws-gateway") check(broken > 0 && broken < readers.length, "the sockets were on two gateways");
  return () => docker("start", victim);
}

/** The first thing in which what a reader saw differs from what is stored; null if nothing does. */
function whatIsWrong(events, stored, head) {
  const offsets = events.map(({ offset }) => offset);
  const at = offsets.findIndex((offset, n) => n > 0 && offset !== offsets[n - 1] + 1);
  if (at !== -1) return `${offsets[at]} comes after ${offsets[at - 1]}`;
  if (offsets.at(-1) !== head) return `it ends at ${offsets.at(-1)} of ${head}`;
  const seen = events.filter(({ kind }) => kind === "message").map(({ data }) => data.id);
  const other = stored.findIndex(({ id }, n) => id !== seen[n]);
  if (other !== -1) return `message ${other + 1} is not the one stored at ${stored[other].offset}`;
  return seen.length === stored.length ? null : `${seen.length} messages of ${stored.length}`;
}

async function history(user, room) {
  const items = [];
  for (let after = 0; ; after = items.at(-1).seq) {
    const page = await rest("GET", `/conversations/${room}/messages?after=${after}&limit=100`, {
      token: user.accessToken,
    });
    items.push(...page.items);
    if (!page.hasAfter) return items;
  }
}

const run = randomBytes(4).toString("hex");
const names = ["ann", "bob", "cyd"];
const users = [];
for (const name of names) {
  const username = `${name}-${run}`;
  const body = { username, email: `${username}@example.org`, password: `pass-${randomBytes(9).toString("hex")}` };
  users.push(await rest("POST", "/auth/register", { body }));
}
const members = users.slice(1).map(({ user }) => user.id);
const group = await rest("POST", "/conversations", {
  token: users[0].accessToken,
  body: { type: "group", name: `smoke ${run}`, members },
});
tell(`${names.join(", ")} are in room ${group.id} at ${origin}`);

const readers = Array.from(
  { length: Number(options.sockets) },
  (_, at) => new Reader(users[at % users.length], group.id),
);
const running = readers.map(reader => reader.run());
while (!readers.every(({ connected }) => connected)) await pause(BREATH);
const stop = new AbortController();
const speaking = names.map((name, at) => speak(readers[at], name, stop.signal));

const victims = options.kill.split(",").filter(Boolean);
const part = (Number(options.seconds) * 1_000) / (victims.length + 1);
const revive = [];
for (const service of victims) {
  await pause(part);
  revive.push(await killOne(service, readers));
}
await pause(part);
for (const start of revive) start();
stop.abort();
const said = (await Promise.all(speaking)).flat();
const again = said.filter(({ tries }) => tries > 1).length;
tell(`${said.length} messages acknowledged, ${again} of them after more than one try`);

const stored = await history(users[0], group.id);
const head = Math.max(...stored.map(({ offset }) => offset));
for (const until = Date.now() + CATCH_UP; readers.some(({ last }) => last < head) && Date.now() < until;)
  await pause(BREATH);
readers.forEach(reader => reader.end());
await Promise.all(running);

check(said.length > 20, `${said.length} acknowledged messages are enough to tell`);
check(
  said.every(
    ({ clientId, message }) => stored.filter(one => one.clientId === clientId && one.id === message.id).length === 1,
  ),
  "every acknowledged message is stored, once, as it was acknowledged",
);
check(stored.length === said.length, "nothing else is stored");
check(
  said.every(({ message }) =>
    stored.some(one => one.id === message.id && one.offset === message.offset && one.seq === message.seq),
  ),
  "at the offsets that were acknowledged",
);
for (const [at, reader] of readers.entries()) {
  const wrong = whatIsWrong(reader.events, stored, head);
  const text = `reader ${at + 1}: all of it, once, in order, without a hole (${reader.breaks} breaks, ${reader.resets} resets)`;
  check(wrong === null, wrong ? `${text}: ${wrong}` : text);
}
tell(faults.length === 0 ? "all holds" : `${faults.length} do not hold`);
process.exit(faults.length === 0 ? 0 : 1);
