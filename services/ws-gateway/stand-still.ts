/**
 * Tells a timer whether the process stood still since its last tick. Timers come before what sockets have received: who is
 * late may have spoken long ago, and nobody was there to read it.
 */
export class StandStill {
  private last: number;

  /**
   * @param now monotonic milliseconds
   * @param most milliseconds between two ticks of a process that runs
   */
  constructor(
    private readonly now: () => number,
    private readonly most: number,
  ) {
    this.last = now();
  }

  /** Once a tick. */
  justEnded(): boolean {
    const before = this.last;
    this.last = this.now();
    return this.last - before > this.most;
  }
}
