/** Milliseconds a process may take to answer. */
const PATIENCE = 2_000;

/** Counters of all processes of a run, added up over their lives: one that starts again counts from 0. */
export class Meter {
  private readonly sums = new Map<string, number>();
  private readonly last = new Map<string, number>();

  constructor(private readonly urls: readonly string[]) {}

  /** Reads all that answer. To be called every few seconds: what a process counted since and did not tell dies with it. */
  async look(): Promise<void> {
    await Promise.all(this.urls.map(url => this.read(url)));
  }

  /** By name, and labels where it has any; what is 0 is left out. */
  get totals(): Record<string, number> {
    const found = [...this.sums].filter(([, value]) => value > 0);
    return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private async read(url: string): Promise<void> {
    const text = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) })
      .then(response => response.text())
      .catch(() => "");
    for (const [series, value] of counters(text)) {
      const key = `${url} ${series}`;
      const before = this.last.get(key) ?? 0;
      this.last.set(key, value);
      this.sums.set(series, (this.sums.get(series) ?? 0) + (value >= before ? value - before : value));
    }
  }
}

/** The product's own counters in Prometheus text. What differs by node only is left out of the labels. */
export function* counters(text: string): Generator<[series: string, value: number]> {
  for (const line of text.split("\n")) {
    const match = /^(rookery_\w+_total)(?:\{([^}]*)\})? ([\d.e+]+)/.exec(line);
    if (!match) continue;
    const [, name, labels = "", value] = match;
    const own = labels.split(",").filter(label => label !== "" && !/^node=/.test(label));
    yield [own.length > 0 ? `${name}{${own.join(",")}}` : (name as string), Number(value)];
  }
}
