/** Milliseconds between two looks of a bar. */
const PACE = 100;
const WIDTH = 30;

/** Steps of a long work: a bar on a terminal, else one line for each step when it is done. */
export class Progress {
  private what = "";
  private total = 0;
  private done = 0;
  private began = 0;
  private drawn = 0;

  constructor(private readonly out: NodeJS.WriteStream = process.stdout) {}

  begin(what: string, total: number): void {
    Object.assign(this, { what, total, done: 0, began: performance.now(), drawn: 0 });
  }

  add(count: number): void {
    this.done += count;
    const now = performance.now();
    if (!this.out.isTTY || now - this.drawn < PACE) return;
    this.drawn = now;
    const filled = Math.round((WIDTH * this.done) / Math.max(this.total, 1));
    const bar = "#".repeat(filled).padEnd(WIDTH, ".");
    this.out.write(`\r${this.what.padEnd(20)} ${bar} ${this.done} of ${this.total}`);
  }

  end(): void {
    const seconds = (performance.now() - this.began) / 1_000;
    if (this.out.isTTY) this.out.write("\r\x1b[K");
    this.out.write(`${this.what.padEnd(20)} ${this.total} in ${seconds.toFixed(1)} s\n`);
  }
}
