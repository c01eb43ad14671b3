import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadConfig } from "../../config/config";
import { startTracing } from "../../config/otel";
import { SECRET } from "../support/broker";
import { Collector } from "../support/collector";
import { baseEnvironment } from "../support/server";
import { temporaryFolder } from "../support/temp";
import type { Seen } from "./children/traced";

const SERVER = 2;
const CLIENT = 3;
const CONSUMER = 5;
const ROOT = join(__dirname, "../..");

async function traced(env: Record<string, string>): Promise<{ answer: unknown; seen: Seen[] }> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", join(__dirname, "children/traced.ts")],
    { cwd: ROOT, env: { ...baseEnvironment(), DATA_DIR: temporaryFolder(), JWT_SECRET: SECRET, ...env } },
  );
  return JSON.parse(stdout) as { answer: unknown; seen: Seen[] };
}

describe("with a collector", () => {
  let collector: Collector;
  let seen: Seen[];

  beforeAll(async () => {
    collector = await Collector.start();
    const run = await traced({ OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/` });
    expect(run.answer).toBe("done");
    seen = run.seen;
  });
  afterAll(() => collector.stop());

  it("a chain of calls over two nodes and an event is one trace of parents and children", () => {
    const root = collector.named("door.in", SERVER);
    const step = collector.named("near.step", SERVER);
    const out = collector.named("far.work", CLIENT);
    const work = collector.named("far.work", SERVER);
    const event = collector.named("far.done", CONSUMER);
    expect(root.parentSpanId ?? "").toBe("");
    expect(step.parentSpanId).toBe(root.spanId);
    expect(out.parentSpanId).toBe(step.spanId);
    expect(work.parentSpanId).toBe(out.spanId);
    expect(event.parentSpanId).toBe(work.spanId);
    expect(new Set([root, step, out, work, event].map(span => span.traceId)).size).toBe(1);
    expect(step.attributes["rookery.node"]).toBe("node-1");
    expect(work.attributes["rookery.node"]).toBe("node-2");
  });

  it("another request is another trace", () => {
    const roots = collector.spans.filter(span => span.name === "door.in");
    expect(new Set(roots.map(span => span.traceId)).size).toBe(2);
  });

  it("errors are told by code only, on both sides", () => {
    for (const kind of [CLIENT, SERVER]) {
      const failed = collector.spans.filter(s => s.name === "far.work" && s.kind === kind && s.status.code === 2);
      expect(failed).toEqual([expect.objectContaining({ events: [], status: { code: 2 } })]);
      expect(failed[0]?.attributes["error.type"]).toBe("CONFLICT");
    }
  });

  it("a call that timed out has ended, as unknown", () => {
    expect(collector.named("far.slow", CLIENT).attributes["error.type"]).toBe("UNKNOWN_OUTCOME");
  });

  it("attributes are the allowed few, and nothing of what was said or who said it", () => {
    const names = new Set(collector.spans.flatMap(span => Object.keys(span.attributes)));
    expect([...names].sort()).toEqual([
      "error.type",
      "rookery.action",
      "rookery.caller",
      "rookery.event",
      "rookery.node",
      "rookery.service",
    ]);
    const { attributes, resource } = collector.named("door.in");
    expect(attributes).toMatchObject({ "rookery.service": "door", "rookery.caller": "user" });
    expect(resource).toMatchObject({ "service.name": "rookery", "service.instance.id": "node-1" });
    expect(collector.raw).not.toMatch(/what-the-user-wrote|canary-name/);
  });

  it("handlers run in the scope of the request and its trace, and meta comes back as it went", () => {
    const scope = { requestId: "request-1", traceId: collector.named("door.in").traceId };
    const mine = seen.slice(0, 4);
    expect(mine.map(one => one.at).sort()).toEqual(["event", "far", "near", "near, after"]);
    for (const one of mine) {
      expect(one.scope).toEqual(scope);
      expect(one.meta).toEqual(["user"]);
    }
    expect(mine.find(one => one.at === "far")?.headers).toEqual(["traceparent"]);
  });
});

describe("without a collector", () => {
  it("nothing travels along, and the request's id is still in scope", async () => {
    const { seen } = await traced({});
    expect(seen.length).toBeGreaterThanOrEqual(4);
    for (const one of seen.slice(0, 4)) {
      expect(one.scope).toEqual({ requestId: "request-1" });
      expect(one.headers).toEqual([]);
    }
  });

  it("nothing is registered and nothing said", () => {
    const log = { info: jest.fn(), warn: jest.fn() };
    expect(startTracing(loadConfig({ JWT_SECRET: SECRET }), "node", log)).toBeNull();
    expect(log.info).not.toHaveBeenCalled();
    expect(log.warn).not.toHaveBeenCalled();
  });
});

it("a share of 0 keeps no trace that begins here", async () => {
  const collector = await Collector.start();
  const { answer } = await traced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ROOKERY_TRACE_SAMPLING: "0" });
  expect(answer).toBe("done");
  expect(collector.spans).toEqual([]);
  await collector.stop();
});

it("a collector that is not there changes nothing", async () => {
  expect((await traced({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })).answer).toBe("done");
});
