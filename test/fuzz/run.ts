import { setTimeout as pause } from "node:timers/promises";
import type { Ground } from "../chaos/ground";
import { startEmbeddedGround } from "../chaos/ground.embedded";
import { pick, seeded } from "../chaos/random";
import { Effort, Recent } from "./effort";
import { bySockets, byUpgrades, type Hostile } from "./hostile";
import { byRequests } from "./hostile.http";
import { setScene } from "./scene";
import { WIRES, type Scene, type Speaker, type Wire } from "./vocabulary";
import { faultIn, faultsOf, sampleOf, socketsIn, type Sample } from "./watch";
import { Witness } from "./witness";

export interface RunOptions {
  engine: "uws" | "ws";
  frames: number;
  seed: number;
  rateLimit: string;
  signal: AbortSignal;
  onProgress: (sample: Sample, ms: number) => void;
  /** Of what was found, at once, with what was sent last. */
  onFault: (fault: string, recent: readonly Recent[]) => void;
}

export interface RunResult {
  efforts: readonly Effort[];
  samples: readonly Sample[];
  /** In sentences; none if all is well. */
  faults: readonly string[];
  /** Milliseconds in which the frames were sent. */
  ms: number;
  witness: { sent: number; slowest: number };
  /** Everything the server wrote. */
  output: string;
}

/** Of all frames, and how many send at a time. */
const PARTS: Record<Wire, { share: number; abreast: number; by: (hostile: Hostile) => Promise<void> }> = {
  native: { share: 0.35, abreast: 6, by: bySockets },
  signalr: { share: 0.25, abreast: 6, by: bySockets },
  socketio: { share: 0.25, abreast: 6, by: bySockets },
  rfc6455: { share: 0.1, abreast: 6, by: bySockets },
  upgrade: { share: 0.02, abreast: 8, by: byUpgrades },
  stream: { share: 0.01, abreast: 2, by: byRequests },
  "polling-signalr": { share: 0.01, abreast: 2, by: byRequests },
  "polling-socketio": { share: 0.01, abreast: 2, by: byRequests },
};
/** Seconds a token lives: longer than any run. */
const TOKEN = 86_400;
/** Faults that are told; a server that is broken has one for every frame. */
const MOST_FAULTS = 20;
/** Milliseconds between two looks, and for the server to let go of what its clients left. */
const LOOK = 1_000;
const REST = 90_000;

/** Starts a server, sends all frames, lets it come to rest and stops it. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { engine, frames, seed, rateLimit } = options;
  const stopped = new AbortController();
  const signal = AbortSignal.any([options.signal, stopped.signal]);
  const faults: string[] = [];
  const recent: Recent[] = [];
  let phase: "start" | "run" | "stop" = "start";
  let pid = -1;
  const complain = (complaint: string): void => {
    // What a start says to people is no record of the log. Whoever complains after an end complains of that.
    if (phase === "start" || signal.aborted) return;
    const isGone = phase === "run" && sampleOf(pid, 0) === null;
    const fault = isGone ? "the process ended by itself" : complaint;
    if (faults.length < MOST_FAULTS || isGone) {
      faults.push(fault);
      options.onFault(fault, recent);
    }
    if (isGone) stopped.abort();
  };
  const ground = await startEmbeddedGround({
    env: { ROOKERY_ENGINE: engine, RATE_LIMIT: rateLimit, ACCESS_TOKEN_TTL: String(TOKEN), LOG_FORMAT: "json" },
    onLine(_, line) {
      const fault = faultIn(line);
      if (fault !== null) complain(fault);
    },
  });
  try {
    const { scene, witness: client, own, common } = await setScene(ground);
    pid = ground.processes[0]?.pid ?? -1;
    phase = "run";
    const efforts = WIRES.map(wire => new Effort(wire, Math.ceil(frames * PARTS[wire].share), signal));
    const witness = new Witness(client, own, common, complain);
    const samples: Sample[] = [];
    const began = performance.now();
    const look = (): Sample | null => {
      const sent = efforts.reduce((sum, effort) => sum + effort.frames, 0);
      const sample = sampleOf(pid, sent);
      if (sample) samples.push(sample);
      else complain("nothing is known of the process");
      return sample;
    };
    await pause(LOOK);
    look();
    const looking = setInterval(() => {
      const sample = look();
      if (sample) options.onProgress(sample, performance.now() - began);
    }, LOOK);
    await Promise.all(efforts.flatMap((effort, at) => assailants(effort, scene, seed + at * 1_000, recent, complain)));
    const ms = performance.now() - began;
    const left = await rest(ground, samples, frames, signal);
    clearInterval(looking);
    await witness.stop();
    if (!signal.aborted) faults.push(...left);
    // Its end may add to both.
    return {
      ...{ efforts, samples, faults, ms, witness },
      get output() {
        return ground.output;
      },
    };
  } finally {
    phase = "stop";
    await stop(ground, complain);
  }
}

/** Those who send over one wire, each with a row of chances of his own. */
function assailants(
  effort: Effort,
  scene: Scene,
  seed: number,
  recent: Recent[],
  complain: (what: string) => void,
): Promise<void>[] {
  const { abreast, by } = PARTS[effort.wire];
  return Array.from({ length: abreast }, (_, n) => {
    const random = seeded(seed + n);
    const own = new Recent(`${effort.wire} ${n}`);
    recent.push(own);
    return by({ effort, recent: own, random, complain, speaker: () => speakerOf(scene, random) });
  });
}

function speakerOf(scene: Scene, random: () => number): Speaker {
  const { id: user, token } = pick(random, scene.people) as Scene["people"][number];
  const room = pick(random, scene.rooms) as string;
  return { scene, user, token, room, message: pick(random, scene.messages) as string };
}

/** What the server still holds and should not, once it has nothing of the kind or has had time enough. */
async function rest(
  ground: Ground,
  samples: readonly Sample[],
  frames: number,
  signal: AbortSignal,
): Promise<string[]> {
  for (const end = performance.now() + REST; ;) {
    await pause(2 * LOOK);
    if (signal.aborted) return [];
    const metrics = await fetch(ground.metricsUrls[0] as string).then(answer => answer.text());
    // The well-behaved client's is open.
    const strangers = socketsIn(metrics) - 1;
    const faults = faultsOf(samples, frames);
    if (strangers > 0) faults.push(`${strangers} sockets are counted as open that nobody has`);
    if (faults.length === 0 || performance.now() > end) return faults;
  }
}

/** Milliseconds in which a server that is well has stopped. */
const STOP = 15_000;

async function stop(ground: Ground, complain: (what: string) => void): Promise<void> {
  const began = performance.now();
  await ground.stop();
  if (performance.now() - began > STOP) complain("the server did not stop in time");
}
