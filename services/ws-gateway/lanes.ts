/** Lets so many pieces of work run at once; the others wait in the order they came. */
export class Lanes {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly width: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.width) await new Promise<void>(resolve => this.waiting.push(resolve));
    else this.running++;
    try {
      return await work();
    } finally {
      // Whoever waits takes the lane over, so nobody slips in between.
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }
}
