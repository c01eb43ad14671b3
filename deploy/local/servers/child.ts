import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface ChildOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Every line of stdout and stderr. */
  onLine?: (line: string) => void;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The kernel kills the child when its parent dies, however that happens. Elsewhere than on Linux nobody does. */
const GUARD = "/usr/bin/setpriv";
const guarded = process.platform === "linux" && existsSync(GUARD);
/** Lines kept for the message of a start that failed. */
const KEPT = 20;

/**
 * A process that does not outlive this one. It has a session of its own: Ctrl-C in a terminal reaches this process only,
 * which then stops its children in order.
 */
export class Child {
  readonly ended: Promise<ChildExit>;
  private readonly lines: string[] = [];

  private constructor(
    readonly name: string,
    private readonly process: ChildProcess,
    onLine: ((line: string) => void) | undefined,
  ) {
    this.ended = new Promise((resolve, reject) => {
      process.once("error", reject);
      process.once("close", (code, signal) => resolve({ code, signal }));
    });
    this.ended.catch(() => undefined);
    for (const stream of [process.stdout, process.stderr])
      if (stream)
        createInterface({ input: stream }).on("line", line => {
          this.lines.push(line);
          if (this.lines.length > KEPT) this.lines.shift();
          onLine?.(line);
        });
  }

  static start(name: string, program: string, args: readonly string[], options: ChildOptions = {}): Child {
    const [first, ...rest] = guarded ? [GUARD, "--pdeathsig", "KILL", "--", program, ...args] : [program, ...args];
    const child = spawn(first as string, rest, {
      cwd: options.cwd,
      env: options.env as NodeJS.ProcessEnv | undefined,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Child(name, child, options.onLine);
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null && this.process.pid !== undefined;
  }

  /** The last lines it wrote. */
  get lastWords(): string {
    return this.lines.join("\n");
  }

  kill(signal: NodeJS.Signals): void {
    if (this.isRunning) this.process.kill(signal);
  }

  /** kill -9, and its end. */
  async kill9(): Promise<ChildExit> {
    this.kill("SIGKILL");
    return this.ended;
  }

  /** A signal that asks it to end; kill -9 if it has not after `patience` milliseconds. */
  async stop(signal: NodeJS.Signals = "SIGTERM", patience = 15_000): Promise<ChildExit> {
    const timer = setTimeout(() => this.kill("SIGKILL"), patience);
    this.kill(signal);
    return this.ended.finally(() => clearTimeout(timer));
  }

  /**
   * Asks again until `ask` resolves. Rejects with the child's last words when it ends before or does not answer within
   * `patience` milliseconds; it is killed then.
   */
  async answers(ask: () => Promise<unknown>, patience = 30_000): Promise<void> {
    const deadline = performance.now() + patience;
    for (;;) {
      try {
        return void (await ask());
      } catch (error) {
        if (this.isRunning && performance.now() < deadline) {
          await new Promise(resolve => setTimeout(resolve, 25));
          continue;
        }
        const state = this.isRunning ? `does not answer (${String(error)})` : "ended at its start";
        await this.kill9();
        throw new Error(`${this.name} ${state}:\n${this.lastWords}`);
      }
    }
  }
}

/** The children of a process, oldest first. Linux. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
