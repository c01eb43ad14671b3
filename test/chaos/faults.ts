import { clock } from "./faults.clock";
import { disk, fsync } from "./faults.disk";
import { duplicate, latency, partition, reset } from "./faults.links";
import { power } from "./faults.power";
import { kill, nats, stop, store, writers } from "./faults.processes";
import { poison } from "./faults.poison";
import { twin } from "./faults.twin";
import type { Fault } from "./ground";

/** Everything that a run can be told to do, by name. */
export const FAULTS: readonly Fault[] = [
  kill,
  stop,
  writers,
  nats,
  store,
  partition,
  latency,
  reset,
  duplicate,
  clock,
  disk,
  fsync,
  power,
  twin,
  poison,
];
