import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { loadConfig } from "../../../config/config";
import { Health } from "../../../config/health";
import { metricsMiddleware, metricsOf, metricsOptions, metricsUrl } from "../../../config/metrics";
import { Distribution, Tally } from "../../../config/metrics.instruments";
import { SECRET } from "../../support/broker";

const health = new Health(() => performance.now());
const running: ServiceBroker[] = [];
afterAll(async () => {
  for (const broker of running) await broker.stop();
});

function node(METRICS_PORT = "0"): ServiceBroker {
  const broker = new ServiceBroker({
    logger: false,
    metrics: metricsOptions(loadConfig({ JWT_SECRET: SECRET, METRICS_PORT }), health),
    middlewares: [metricsMiddleware()],
    skipProcessEventRegistration: true,
    internalServices: false,
  } as BrokerOptions);
  running.push(broker);
  return broker;
}

const scrape = async (broker: ServiceBroker): Promise<string> => (await fetch(metricsUrl(broker) as string)).text();

/** The value of the one series with this name and these labels; undefined if there is none. */
function valueOf(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  const line = text
    .split("\n")
    .find(l => l.startsWith(`${name}{`) && Object.entries(labels).every(([k, v]) => l.includes(`${k}="${v}"`)));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ")));
}

describe("the metrics port", () => {
  it("serves what was counted until the scrape, on the given host and a random port", async () => {
    const broker = node();
    await broker.start();
    const metrics = metricsOf(broker);
    for (let n = 0; n < 5; n++) metrics.opened("native");
    for (const code of [4008, 1006, 4116, 3000]) metrics.closed("native", code);
    metrics.received("native", 7);
    metrics.sent("signalr");
    metrics.delivered(1000);
    metrics.acked("unknown", 2);
    metrics.subscribed("reset");
    metrics.reset("floor");
    metrics.reset("gap", 3);
    metrics.healed();
    metrics.rangeRead("replay");
    metrics.dropped("duplicate", 4);
    metrics.lostWriter();
    metrics.conflicted();
    metrics.doubted();
    metrics.doubtSettled();
    metrics.committed(3);
    metrics.stored(0.004);
    metrics.rateLimited("send", false);
    metrics.rateLimited("send", true);
    let length = 5;
    const unwatch = metrics.watchQueue("rooms", () => length);
    length = 6;

    expect(new URL(metricsUrl(broker) as string).hostname).toBe("127.0.0.1");
    const text = await scrape(broker);
    expect(valueOf(text, "rookery_sockets_open", { wire: "native" })).toBe(1);
    expect(valueOf(text, "rookery_sockets_open", { wire: "socketio" })).toBe(0);
    expect(valueOf(text, "rookery_sockets_closed_total", { code: "4008" })).toBe(1);
    expect(valueOf(text, "rookery_sockets_closed_total", { code: "1006" })).toBe(1);
    expect(valueOf(text, "rookery_sockets_closed_total", { code: "other" })).toBe(2);
    expect(valueOf(text, "rookery_frames_received_total", { wire: "native" })).toBe(7);
    expect(valueOf(text, "rookery_sends_total", { wire: "signalr" })).toBe(1);
    expect(valueOf(text, "rookery_deliveries_total")).toBe(1000);
    expect(valueOf(text, "rookery_acks_total", { outcome: "unknown" })).toBe(2);
    expect(valueOf(text, "rookery_room_subscriptions_total", { state: "reset" })).toBe(1);
    expect(valueOf(text, "rookery_room_resets_total", { cause: "floor" })).toBe(1);
    expect(valueOf(text, "rookery_room_resets_total", { cause: "gap" })).toBe(3);
    expect(valueOf(text, "rookery_room_resets_total", { cause: "epoch" })).toBe(0);
    expect(valueOf(text, "rookery_gaps_healed_total")).toBe(1);
    expect(valueOf(text, "rookery_ranges_read_total", { use: "replay" })).toBe(1);
    expect(valueOf(text, "rookery_entries_dropped_total", { cause: "duplicate" })).toBe(4);
    expect(valueOf(text, "rookery_lost_writers_total")).toBe(1);
    expect(valueOf(text, "rookery_write_conflicts_total")).toBe(1);
    expect(valueOf(text, "rookery_unknown_writes_total")).toBe(1);
    expect(valueOf(text, "rookery_unknown_writes_settled_total")).toBe(1);
    expect(valueOf(text, "rookery_entries_committed_total")).toBe(3);
    expect(valueOf(text, "rookery_commit_seconds_bucket", { le: "0.0025" })).toBe(0);
    expect(valueOf(text, "rookery_commit_seconds_bucket", { le: "0.005" })).toBe(1);
    expect(valueOf(text, "rookery_rate_limit_hits_total", { limit: "send", outcome: "counted" })).toBe(1);
    expect(valueOf(text, "rookery_rate_limit_hits_total", { limit: "send", outcome: "refused" })).toBe(1);
    expect(valueOf(text, "rookery_queue_length", { queue: "rooms" })).toBe(6);
    unwatch();
    expect(valueOf(await scrape(broker), "rookery_queue_length", { queue: "rooms" })).toBeUndefined();
  });

  it("tells of calls by action and of errors by code", async () => {
    const broker = node();
    broker.createService({
      name: "t",
      actions: {
        good: () => null,
        bad() {
          throw Object.assign(new Error("secret words"), { type: "CONFLICT", code: 409 });
        },
      },
    });
    await broker.start();
    await broker.call("t.good");
    await broker.call("t.bad").catch(() => undefined);
    const text = await scrape(broker);
    expect(valueOf(text, "moleculer_request_total", { action: "t.good" })).toBe(1);
    expect(valueOf(text, "moleculer_request_active", { action: "t.good" })).toBe(0);
    expect(valueOf(text, "moleculer_request_time_count", { action: "t.good" })).toBe(1);
    expect(valueOf(text, "moleculer_request_error_total", { action: "t.bad", errorType: "CONFLICT" })).toBe(1);
    expect(text).not.toContain("secret words");
  });

  it("tells of the process and its event loop, and nothing of who runs it where", async () => {
    const broker = node();
    await broker.start();
    const text = await scrape(broker);
    expect(valueOf(text, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(valueOf(text, "process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(valueOf(text, "nodejs_eventloop_lag_seconds", { stat: "p99" })).toBeGreaterThanOrEqual(0);
    if (process.platform === "linux") expect(valueOf(text, "process_open_fds")).toBeGreaterThan(3);
    expect(text).not.toMatch(/^(process_arguments|os_)/m);
  });

  it("writes text that keeps to the format: every series typed once, buckets ascending and cumulative", async () => {
    const broker = node();
    broker.createService({ name: "t", actions: { good: () => null } });
    await broker.start();
    await broker.call("t.good");
    for (const entries of [1, 3, 300]) {
      metricsOf(broker).committed(entries);
      metricsOf(broker).stored(entries / 100);
    }
    const text = await scrape(broker);
    expect(text.endsWith("\n")).toBe(true);
    const typed = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(match => match[1]);
    expect(new Set(typed).size).toBe(typed.length);
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# (HELP|TYPE) [a-zA-Z_:][\w:]* .+|[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*\})? -?[\d.e+-]+)$/,
      );
    for (const name of ["rookery_commit_batch_entries", "rookery_commit_seconds", "moleculer_request_time"]) {
      const buckets = [...text.matchAll(new RegExp(`^${name}_bucket.*le="([^"]+)"} (\\S+)$`, "gm"))];
      const bounds = buckets.map(match => (match[1] === "+Inf" ? Infinity : Number(match[1])));
      const counts = buckets.map(match => Number(match[2]));
      expect(bounds.length).toBeGreaterThan(5);
      expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBe(valueOf(text, `${name}_count`));
    }
  });

  it("answers nothing else", async () => {
    const broker = node();
    await broker.start();
    const url = metricsUrl(broker) as string;
    expect((await fetch(new URL("/", url))).status).toBe(404);
    expect((await fetch(url, { method: "POST", body: "x" })).status).toBe(405);
    expect((await fetch(`${url}?x=1`)).status).toBe(200);
  });

  it("that is taken ends the start by name", async () => {
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const broker = node(String(port));
    await expect(broker.start()).rejects.toMatchObject({
      expected: true,
      message: expect.stringMatching(`METRICS_PORT ${port} on 127.0.0.1 is taken`) as string,
    });
    await new Promise(resolve => other.close(resolve));
  });

  it("closes with the broker, a scraper's open connection or not", async () => {
    const broker = node();
    await broker.start();
    const url = metricsUrl(broker) as string;
    await fetch(url);
    await broker.stop();
    await expect(fetch(url)).rejects.toThrow();
    expect(metricsUrl(broker)).toBeNull();
  });
});

describe("counting", () => {
  it("works and is shown nowhere where metrics are off", () => {
    const broker = new ServiceBroker({ logger: false, metrics: false, skipProcessEventRegistration: true });
    metricsOf(broker).opened("native");
    expect(metricsUrl(broker)).toBeNull();
    expect(metricsOf(broker)).toBe(metricsOf(broker));
  });

  it("keeps a mistaken label from making a series for everybody", () => {
    const tally = new Tally(["user"] as const);
    for (let n = 0; n < 5_000; n++) tally.add(1, `user-${n}`);
    expect(tally.read().length).toBeLessThanOrEqual(201);
    expect(tally.read().reduce((sum, cell) => sum + cell.value, 0)).toBe(5_000);
    expect(tally.read().at(-1)).toMatchObject({ labels: { user: "other" } });
  });

  it("puts a value on a bound into the bucket below it", () => {
    const distribution = new Distribution([1, 2]);
    for (const value of [1, 1.5, 2, 9]) distribution.observe(value);
    expect(distribution.read()).toEqual([{ labels: {}, count: 4, sum: 13.5, buckets: { 1: 1, 2: 3 } }]);
  });
});
