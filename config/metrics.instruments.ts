import { MetricTypes, type MetricRegistry } from "moleculer";

/**
 * Instruments for hot paths: a count is an add to a number in this process (nanoseconds, nothing is allocated). Moleculer's
 * registry, and with it the scrape, reads the numbers when it is asked.
 */

/** Values of one label beyond which more are counted as `other`: no mistake may make a series of every user. */
const MAX_SERIES = 200;

export type Labels = Record<string, string>;

export interface Sample {
  labels: Labels;
  value: number;
}

export interface HistogramSample {
  labels: Labels;
  count: number;
  sum: number;
  /** Observations at or below each bound. */
  buckets: Record<string, number>;
}

/** A number, or one for each combination of label values. Counters go up only, gauges both ways. */
export class Tally<L extends readonly string[] = []> {
  private readonly cells = new Map<string, { labels: Labels; value: number }>();

  /** @param known combinations that are shown as 0 before they are first counted */
  constructor(
    private readonly names: L,
    known: readonly { [K in keyof L]: string }[] = [],
  ) {
    for (const values of known) this.add(0, ...values);
    if (names.length === 0) this.add(0, ...([] as unknown as { [K in keyof L]: string }));
  }

  add(amount: number, ...values: { [K in keyof L]: string }): void {
    const cell = this.cells.get(values.length === 1 ? (values[0] as string) : values.join("\0"));
    if (cell) cell.value += amount;
    else this.open(amount, values);
  }

  read(): Sample[] {
    return [...this.cells.values()];
  }

  private open(amount: number, values: readonly string[]): void {
    const shown = this.cells.size < MAX_SERIES ? values : values.map(() => "other");
    const key = shown.join("\0");
    const cell = this.cells.get(key);
    if (cell) cell.value += amount;
    else
      this.cells.set(key, {
        labels: Object.fromEntries(this.names.map((name, at) => [name, shown[at] ?? ""])),
        value: amount,
      });
  }
}

export class Distribution {
  private readonly counts: Float64Array;
  private count = 0;
  private sum = 0;

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.count += 1;
    this.sum += value;
    for (let at = 0; at < this.bounds.length; at++)
      if (value <= (this.bounds[at] as number)) {
        this.counts[at] = (this.counts[at] as number) + 1;
        return;
      }
  }

  read(): HistogramSample[] {
    let below = 0;
    const buckets = Object.fromEntries(this.bounds.map((bound, at) => [bound, (below += this.counts[at] as number)]));
    return [{ labels: {}, count: this.count, sum: this.sum, buckets }];
  }
}

export interface Description {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels?: readonly string[];
}

/** Shows an instrument as one of Moleculer's metrics, so that the REPL, `$node.metrics` and Prometheus see it. */
export function expose(registry: MetricRegistry, is: Description, read: () => (Sample | HistogramSample)[]): void {
  if (registry.isEnabled()) registry.store.set(is.name, new ReadMetric(registry, is, read));
}

class ReadMetric extends MetricTypes.Base<Sample | HistogramSample> {
  constructor(
    registry: MetricRegistry,
    { name, type, help, labels = [] }: Description,
    private readonly source: () => (Sample | HistogramSample)[],
  ) {
    super({ name, type, description: help, labelNames: [...labels] }, registry);
  }

  override snapshot(): (Sample | HistogramSample)[] {
    return this.generateSnapshot();
  }

  override generateSnapshot(): (Sample | HistogramSample)[] {
    return this.source();
  }

  /** What has been counted stays counted. */
  override reset(): void {}
  override resetAll(): void {}
}
