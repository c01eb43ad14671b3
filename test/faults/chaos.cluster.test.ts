import { join } from "node:path";
import { Evidence } from "../chaos/evidence";
import { partitioning, slowing, duplicating } from "../chaos/faults.links";
import { poisoning } from "../chaos/faults.poison";
import { killing, stopping } from "../chaos/faults.processes";
import { twin } from "../chaos/faults.twin";
import type { Fault, Ground } from "../chaos/ground";
import { startClusterGround } from "../chaos/ground.cluster";
import { run, type RunResult } from "../chaos/run";
import { afterFile } from "../support/cleanup";
import { describeCluster } from "../support/servers";
import { temporaryFolder } from "../support/temp";

/** Milliseconds: the 10 s that users are promised, and what a machine with much else to do may be late. */
const PATIENCE = 30_000;

/** Each row of faults under the name that the history has it by. */
const named = (name: string, fault: Fault): Fault => ({ ...fault, name });

const FAULTS: readonly Fault[] = [
  named("kill F01", killing({ roles: ["services"], lasts: [500, 1_000] })),
  named("kill F02", killing({ roles: ["gateway"], lasts: [500, 1_000] })),
  named("nats F06", killing({ roles: ["nats"], lasts: [3_000, 3_000] })),
  named("partition F07", partitioning(["both"], [6_000, 6_000])),
  named("partition F07", partitioning(["up"], [5_000, 5_000])),
  named("stop F08", stopping({ roles: ["services"], lasts: [11_000, 11_000] })),
  named("store F09", killing({ roles: ["store"], lasts: [1_000, 1_000] })),
  named("latency F12", slowing(["store"], [500], [10_000, 10_000])),
  named("stop F16", stopping({ roles: ["gateway"], lasts: [4_000, 4_000] })),
  named("poison F17", poisoning([3_000, 3_000])),
  named("duplicate F19", duplicating(0.05, [5_000, 5_000])),
  named("twin F20", twin),
];

/** Takes two minutes of a machine that has nothing else to do, and toxiproxy: only where it is asked for, as CI does. */
const describeRun = process.env.CHAOS ? describeCluster : describe.skip;

describeRun("a cluster in trouble, one fault after the other under traffic", () => {
  let ground: Ground;
  let result: RunResult;
  let evidence: Evidence;

  beforeAll(async () => {
    ground = await startClusterGround();
    afterFile(() => ground.stop());
    result = await run(ground, {
      seed: 1,
      ms: 300_000,
      faults: FAULTS,
      inOrder: true,
      between: [200, 400],
      span: 1_000,
      clients: 24,
      rooms: 6,
      rates: { lie: 1 },
      file: join(temporaryFolder(), "history.jsonl"),
    });
    evidence = new Evidence(result.file);
  }, 300_000);

  /** Milliseconds from its end until every room takes messages. */
  const recovery = (name: string, nth = 0): number => evidence.untilAllAcked(evidence.trouble(name, nth).to);

  test("all faults: nothing acknowledged is lost, doubled or in another order, nobody misses anything, and all is answered", () => {
    expect(result.verdict.violations).toEqual([]);
    expect(result.invalid).toBeNull();
    expect(result.restless).toEqual([]);
    expect(result.verdict.counts.acked).toBeGreaterThan(500);
    expect(result.faults).toHaveLength(FAULTS.length);
  });

  test("F01 kill -9 of a node that writes: every room takes messages again", () => {
    expect(evidence.untilAllAcked(evidence.trouble("kill F01").from)).toBeLessThan(PATIENCE);
  });

  test("F02 kill -9 of a gateway: its clients come back to another where they were", () => {
    expect(evidence.untilAllAcked(evidence.trouble("kill F02").from)).toBeLessThan(PATIENCE);
    expect(result.verdict.counts.resumed.replayed).toBeGreaterThan(0);
  });

  test("F06 NATS restart: rooms take messages again, and what was missed meanwhile is healed", () => {
    expect(recovery("nats F06")).toBeLessThan(PATIENCE);
    expect(result.metrics.rookery_gaps_healed_total ?? 0).toBeGreaterThan(0);
  });

  test("F07 one node cut off from NATS, both ways and one way: the others serve every room", () => {
    for (const nth of [0, 1]) expect(recovery("partition F07", nth)).toBeLessThan(PATIENCE);
  });

  test("F08 two writers for one room: they met, and the store decided", () => {
    expect(result.metrics.rookery_write_conflicts_total ?? 0).toBeGreaterThan(0);
    expect(recovery("stop F08")).toBeLessThan(PATIENCE);
  });

  test("F09 kill -9 of the store: acknowledged again", () => {
    expect(recovery("store F09")).toBeLessThan(PATIENCE);
  });

  test("F12 a slow store: messages still come through, and all is as before soon", () => {
    const { from, to } = evidence.trouble("latency F12");
    expect(evidence.ackedBetween(from, to)).toBeGreaterThan(0);
    expect(recovery("latency F12")).toBeLessThan(PATIENCE);
  });

  test("F16 a gateway that stood still goes on where it was", () => {
    expect(recovery("stop F16")).toBeLessThan(PATIENCE);
  });

  test("F17 poison at every door ends no process and stops no room", () => {
    expect(evidence.untilAllAcked(evidence.trouble("poison F17").from)).toBeLessThan(PATIENCE);
  });

  test("F19 packets of NATS come twice, late and out of order: no effect is double, and no room stops", () => {
    const { from, to } = evidence.trouble("duplicate F19");
    expect(evidence.ackedBetween(from, to)).toBeGreaterThan(0);
    expect(result.metrics['rookery_entries_dropped_total{cause="duplicate"}'] ?? 0).toBeGreaterThan(0);
  });

  test("F20 a second process under the id of a node refuses, and the first goes on", () => {
    expect(evidence.untilAllAcked(evidence.trouble("twin F20").from)).toBeLessThan(PATIENCE);
    expect(ground.processes.filter(({ isRunning }) => !isRunning)).toEqual([]);
  });

  test("F23 clients that lie about where they were get typed errors or a reset", () => {
    // What was answered otherwise would be among the violations.
    expect(result.metrics['rookery_room_resets_total{cause="ahead"}'] ?? 0).toBeGreaterThan(0);
  });
});
