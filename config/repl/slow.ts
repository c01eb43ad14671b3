import { command, wholeOf } from "./command";
import { many, paragraphs, table } from "./format";
import type { Operator } from "./operator";

/** Actions shown unless the operator says how many, and at most. */
const SHOWN = 15;
const MOST = 500;

/** What Moleculer counts of the actions that run on a node. Values of a bucket are at or below its bound, milliseconds. */
interface Series {
  labels: { action?: string | null; type?: string | null };
  count?: number;
  sum?: number;
  value?: number;
  buckets?: Record<string, number>;
}

interface Timing {
  count: number;
  sum: number;
  errors: number;
  buckets: Map<number, number>;
}

/** What consoles ask themselves. */
const OURS = /^(\$|node\.)/;

/** Adds up what all nodes counted of the actions that ran on them. */
function addUp(into: Map<string, Timing>, metrics: unknown): void {
  for (const { name, values } of metrics as { name: string; values: Series[] }[])
    for (const { labels, count = 0, sum = 0, value = 0, buckets = {} } of values) {
      // What was asked of another node is counted there, too.
      if (!labels.action || OURS.test(labels.action) || labels.type !== "local") continue;
      const timing = into.get(labels.action) ?? { count: 0, sum: 0, errors: 0, buckets: new Map<number, number>() };
      into.set(labels.action, timing);
      if (name === "moleculer.request.error.total") timing.errors += value;
      if (name !== "moleculer.request.time") continue;
      timing.count += count;
      timing.sum += sum;
      for (const [bound, below] of Object.entries(buckets))
        timing.buckets.set(Number(bound), (timing.buckets.get(Number(bound)) ?? 0) + below);
    }
}

/**
 * The time within which a share of the calls ended, as Prometheus tells it from buckets: evenly spread within one. Null:
 * beyond the last bound.
 */
export function quantile(share: number, count: number, buckets: ReadonlyMap<number, number>): number | null {
  const wanted = share * count;
  let [from, before] = [0, 0];
  for (const [bound, below] of [...buckets].sort(([a], [b]) => a - b)) {
    if (below >= wanted && below > before) return from + ((bound - from) * (wanted - before)) / (below - before);
    [from, before] = [bound, below];
  }
  return null;
}

async function timings(operator: Operator) {
  const found = new Map<string, Timing>();
  const silent: { node: string; problem: string }[] = [];
  const live = operator.nodes().filter(({ available }) => available);
  await Promise.all(
    live.map(async ({ id }) => {
      try {
        addUp(found, await operator.metrics(id, "moleculer.request.**"));
      } catch {
        silent.push({ node: id, problem: "did not answer" });
      }
    }),
  );
  return { found, silent, nodes: live.length };
}

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);

export const slow = command({
  name: "slow",
  takes: "[n]",
  description: "the slowest actions over all nodes, since these started",
  async ask(operator, { given: [n] }) {
    const shown = wholeOf(n, SHOWN, MOST);
    const { found, silent, nodes } = await timings(operator);
    const actions = Array.from(found, ([action, { count, sum, errors, buckets }]) => ({
      action,
      count,
      errors,
      meanMs: rounded(count === 0 ? 0 : sum / count),
      p95Ms: rounded(quantile(0.95, count, buckets)),
      p99Ms: rounded(quantile(0.99, count, buckets)),
    })).filter(({ count }) => count > 0);
    // Beyond the last bound is slower than any number.
    const rank = (ms: number | null): number => ms ?? Infinity;
    actions.sort((a, b) => rank(b.p95Ms) - rank(a.p95Ms) || (b.meanMs ?? 0) - (a.meanMs ?? 0));
    return { nodes, actions: actions.slice(0, shown), of: actions.length, silent };
  },
  show({ actions, of, nodes, silent }, paint) {
    const ms = (value: number | null): string =>
      value === null ? paint.red("> 10 s") : value >= 1_000 ? paint.yellow(`${value} ms`) : `${value} ms`;
    return paragraphs(
      table(
        paint,
        ["action", "calls", "errors", "mean", "p95", "p99"],
        actions.map(({ action, count, errors, meanMs, p95Ms, p99Ms }) => [
          action,
          count,
          errors,
          ms(meanMs),
          ms(p95Ms),
          ms(p99Ms),
        ]),
      ),
      paint.dim(
        of === 0
          ? "nothing was called yet"
          : `${actions.length} of ${many(of, "action")} on ${many(nodes, "node")}, by p95; from buckets, so about right`,
      ),
      silent.map(({ node, problem }) => paint.red(`${node} ${problem}`)).join("\n"),
    );
  },
});
