import { existsSync } from "node:fs";
import { join } from "node:path";
import { Evidence } from "../chaos/evidence";
import { fillingDisk, slowSync, STRACE } from "../chaos/faults.disk";
import { poisoning } from "../chaos/faults.poison";
import { killing, stopping } from "../chaos/faults.processes";
import { twin } from "../chaos/faults.twin";
import type { Fault, Ground } from "../chaos/ground";
import { startEmbeddedGround } from "../chaos/ground.embedded";
import { run, type RunResult } from "../chaos/run";
import { smallDisk } from "../chaos/small-disk";
import { afterFile } from "../support/cleanup";
import { external } from "../support/server";
import { temporaryFolder } from "../support/temp";

/** Milliseconds: the 10 s that users are promised, and what a machine with much else to do may be late. */
const PATIENCE = 30_000;

const server = ["server"] as const;
const kill = killing({ roles: server, lasts: [300, 800] });
const fsync = slowSync([4_000, 4_000]);

const FAULTS: readonly Fault[] = [
  kill,
  kill,
  fillingDisk([3_000, 3_000]),
  fsync,
  stopping({ roles: server, lasts: [3_000, 3_000] }),
  poisoning([4_000, 4_000]),
  twin,
];

(external ? describe.skip : describe)("one process in trouble, one fault after the other under traffic", () => {
  const small = smallDisk(64);
  let ground: Ground;
  let result: RunResult;
  let evidence: Evidence;

  beforeAll(async () => {
    // After the ground, which stands on it.
    afterFile(() => small?.release());
    ground = await startEmbeddedGround(small ? { dataDir: join(small.path, "data") } : {});
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
  }, 240_000);

  const isPossible = (fault: Fault): boolean => fault.isPossible?.(ground) !== false;
  const recovers = (name: string, nth = 0): void =>
    expect(evidence.untilAllAcked(evidence.trouble(name, nth).to)).toBeLessThan(PATIENCE);

  test("all faults: nothing acknowledged is lost, doubled or in another order, nobody misses anything, and all is answered", () => {
    expect(result.verdict.violations).toEqual([]);
    expect(result.invalid).toBeNull();
    expect(result.restless).toEqual([]);
    expect(result.verdict.counts.acked).toBeGreaterThan(500);
    expect(result.faults).toHaveLength(FAULTS.filter(isPossible).length);
  });

  test("F03 kill -9 in the middle of writes: every room takes messages again", () => {
    for (const nth of [0, 1]) recovers("kill", nth);
    expect(result.verdict.counts.resumed.replayed).toBeGreaterThan(0);
  });

  // Mounts and strace are not for everybody.
  (small ? test : test.skip)("F05 a full disk: works again by itself once there is space", () => recovers("disk"));

  (existsSync(STRACE) ? test : test.skip)(
    "F12 slow fsync: messages still come through, and all is as before soon",
    () => {
      const { from, to } = evidence.trouble("fsync");
      expect(evidence.ackedBetween(from, to)).toBeGreaterThan(0);
      recovers("fsync");
    },
  );

  test("F16 a process that stood still goes on where it was", () => recovers("stop"));

  test("F17 poison at every door ends no process and stops no room", () => {
    const { from } = evidence.trouble("poison");
    expect(evidence.untilAllAcked(from)).toBeLessThan(PATIENCE);
  });

  test("F20 a second process on the same data folder refuses, and the first goes on", () => {
    const { from } = evidence.trouble("twin");
    expect(evidence.untilAllAcked(from)).toBeLessThan(PATIENCE);
  });

  test("F23 clients that lie about where they were get typed errors or a reset", () => {
    // What was answered otherwise would be among the violations.
    expect(result.metrics['rookery_room_resets_total{cause="ahead"}'] ?? 0).toBeGreaterThan(0);
  });
});
