/** Milliseconds an answer is believed; a change makes itself known, if nothing is lost on the way. */
const TTL = 30_000;
/** Users remembered; who was asked for first is forgotten first. */
const USERS = 10_000;

/** Who does not want others to know how far he has read, asked of the owner of such wishes and remembered. */
export class Discretion {
  private readonly users = new Map<string, { discreet: boolean; at: number }>();
  /** Counts changes: an answer that was on its way then is not remembered. */
  private changes = 0;

  constructor(
    private readonly ask: (user: string) => Promise<boolean>,
    /** Monotonic milliseconds. */
    private readonly now: () => number,
  ) {}

  /** Rejects where it is neither known nor told. */
  async of(user: string): Promise<boolean> {
    const at = this.now();
    const known = this.users.get(user);
    if (known && at - known.at < TTL) return known.discreet;
    const { changes } = this;
    const discreet = await this.ask(user);
    if (changes === this.changes) this.remember(user, { discreet, at });
    return discreet;
  }

  forget(user: string): void {
    this.changes++;
    this.users.delete(user);
  }

  private remember(user: string, answer: { discreet: boolean; at: number }): void {
    this.users.delete(user);
    this.users.set(user, answer);
    const [oldest] = this.users.keys();
    if (this.users.size > USERS && oldest !== undefined) this.users.delete(oldest);
  }
}
