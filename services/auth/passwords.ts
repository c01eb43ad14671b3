import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { getRounds } from "bcryptjs";
import { Piscina } from "piscina";
import { RookeryError } from "../core/errors";
import type { PasswordTask } from "./passwords.worker";

/** Hashes that may wait or be under way. */
const WAITING = 64;
/**
 * Milliseconds a hash may have to wait for the others, and may take in all: less than its caller waits. Or all threads
 * could be busy for those who have given up, and nobody at all would be let in.
 */
const PATIENCE = 6_000;
const TIMEOUT = 7_000;
/** Weight of the last hash in the pace. */
const NEW = 0.2;
/** What bcrypt reads of a password; a longer one would be let in by its beginning alone. */
const MAX_BYTES = 72;

/** Hashes passwords in threads of their own, so that the loop which serves requests never waits for one. */
export class Passwords {
  /** Full-cost comparisons made, those for unknown users included. */
  comparisons = 0;
  private readonly pool: Piscina<PasswordTask, string | boolean>;
  private pending = 0;
  /** Milliseconds from one hash done to the next while some wait, as of late: what else the machine does counts. */
  private pace = 0;
  /** A hash of nothing anybody knows. */
  private dummy: Promise<string> | undefined;

  /** @param cost bcrypt's, of new hashes: 10 is 2^10 rounds, about 55 ms */
  constructor(
    private readonly cost: number,
    private readonly limits = { waiting: WAITING, patience: PATIENCE, timeout: TIMEOUT },
  ) {
    const extension = extname(__filename);
    this.pool = new Piscina({
      filename: join(__dirname, `passwords.worker${extension}`),
      // Compiled, the worker is plain JavaScript; from source (tsx, jest) the thread gets tsx as its loader.
      execArgv: extension === ".js" ? [] : ["--import", pathToFileURL(require.resolve("tsx")).href],
      minThreads: 1,
      maxThreads: Math.max(1, Math.min(4, availableParallelism() - 1)),
    });
  }

  /** Throws INVALID for what bcrypt would cut, UNAVAILABLE if too many wait. */
  async hash(password: string): Promise<string> {
    if (!isWhole(password)) throw new RookeryError("INVALID", "A password has at most 72 bytes and no NUL.");
    return (await this.run({ password, cost: this.cost })) as string;
  }

  /**
   * Whether the password fits the hash. Without a hash (no such user) it is compared with a dummy: the answer is false and
   * takes as long as any other.
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    this.dummy ??= this.hash(randomBytes(32).toString("base64url"));
    const against = hash ?? (await this.dummy.catch(error => this.forgetDummy(error)));
    this.comparisons++;
    const fits = await this.run({ password, hash: against });
    return fits === true && hash !== null && isWhole(password);
  }

  /** Whether a hash costs another time than those made now; then it is to be made anew when its password is at hand. */
  isOutdated(hash: string): boolean {
    return getRounds(hash) !== this.cost;
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }

  private async run(task: PasswordTask): Promise<string | boolean> {
    const { waiting, patience, timeout } = this.limits;
    // Counted here: the pool's own bound lets through what comes while its threads start.
    if (this.pending >= waiting || this.pending * this.pace > patience) throw busy();
    const place = ++this.pending;
    const began = performance.now();
    try {
      return await this.pool.run(task, { signal: AbortSignal.timeout(timeout) });
    } catch {
      // Too slow or stopped; an argument can not be at fault.
      throw busy();
    } finally {
      this.pending--;
      this.pace += NEW * ((performance.now() - began) / place - this.pace);
    }
  }

  private forgetDummy(error: unknown): never {
    this.dummy = undefined;
    throw error;
  }
}

const busy = (): RookeryError => new RookeryError("UNAVAILABLE", "Too many sign-ins at once.", { retryAfterMs: 1_000 });

const isWhole = (password: string): boolean => Buffer.byteLength(password) <= MAX_BYTES && !password.includes("\0");
