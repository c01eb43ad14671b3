import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { childrenOf } from "../../deploy/local/servers/child";

/** Servers share one core and the generator has another: what a server does is counted in its own seconds. */
const CORES = { servers: 0, generator: 1 };

const TASKSET = "/usr/bin/taskset";
const possible = process.platform === "linux" && existsSync(TASKSET) && cpus().length > 1;

/** A command on the core of that side. */
export const pinned = (side: keyof typeof CORES, command: readonly string[]): string[] =>
  possible ? [TASKSET, "-c", String(CORES[side]), ...command] : [...command];

/** Puts this process on the servers' core, and so whatever it starts. What it cannot do it says in one line. */
export function pinServers(): void {
  if (possible) move(process.pid, CORES.servers);
  else console.log("not pinned: that needs Linux, taskset and two cores; CPU figures are rough");
}

/** Moves a process with all its threads, and all processes below it, to the generator's side. */
export function moveAway(pid: number): void {
  if (!possible) return;
  move(pid, CORES.generator);
  childrenOf(pid).forEach(moveAway);
}

/** Moves this process alone to the generator's side, where it is the load itself. */
export function moveSelf(): void {
  if (possible) move(process.pid, CORES.generator);
}

function move(pid: number, core: number): void {
  execFileSync(TASKSET, ["-a", "-c", "-p", String(core), String(pid)], { stdio: "ignore" });
}
