/** Sum and count of a histogram at a Prometheus endpoint, over all its series. */
export interface HistogramTotals {
  sum: number;
  count: number;
}

export async function readHistogram(urls: readonly string[], name: string): Promise<HistogramTotals> {
  const texts = await Promise.all(
    urls.map(async url => {
      const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      return answer.text();
    }),
  );
  const all = texts.join("\n");
  return { sum: sumOf(all, `${name}_sum`), count: sumOf(all, `${name}_count`) };
}

/** Lines are `name{labels} value` or `name value`, perhaps with a time behind it. */
function sumOf(text: string, name: string): number {
  const line = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "gm");
  return [...text.matchAll(line)].reduce((sum, match) => sum + Number(match[1]), 0);
}
