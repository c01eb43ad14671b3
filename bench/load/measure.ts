import { setTimeout as pause } from "node:timers/promises";
import { connectionsOf, openAll } from "./crowd";
import { Meter, quantile } from "./meter";
import type { FanOutOrder, FanOutReport, JoinOrder, JoinReport, Measured, Watched } from "./order";
import { send } from "./pace";
import { cpuOf, difference, memoryOf, threadDifference, threadsOf } from "./proc";

/** Milliseconds in which a server may free what it needed only for a moment. */
const SETTLE = 2_000;

const microseconds = (): number => Number(process.hrtime.bigint() / 1_000n);

/** Counts while `work` runs. */
export async function counted(watched: readonly Watched[], work: () => Promise<unknown>): Promise<Measured> {
  const [cpu, threads, own, from] = [cpuOf(watched), threadsOf(watched), process.cpuUsage(), microseconds()];
  await work();
  const [to, used] = [microseconds(), process.cpuUsage(own)];
  return {
    seconds: (to - from) / 1e6,
    from,
    to,
    cpu: difference(cpuOf(watched), cpu),
    generatorCpu: (used.user + used.system) / 1e6,
    threads: threadDifference(threadsOf(watched), threads),
  };
}

export async function fanOut(order: FanOutOrder): Promise<FanOutReport> {
  const meter = new Meter();
  const make = connectionsOf(order, meter);
  const connections = Array.from({ length: order.connections }, (_, at) => make(at));
  await openAll(connections, order.opening);
  send(order, connections);
  await pause(order.warm * 1_000);
  meter.measuring = true;
  const measured = await counted(order.watched, () => pause(order.seconds * 1_000));
  meter.measuring = false;
  const { deliveries, sends, refused, strange, closed, latencies, frames, bytes } = meter;
  return {
    ...measured,
    ...{ deliveries, sends, refused, strange, closed },
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    eventBytes: deliveries > 0 ? bytes / deliveries : 0,
    eventsPerFrame: frames > 0 ? deliveries / frames : 0,
  };
}

export async function join(order: JoinOrder): Promise<JoinReport> {
  const meter = new Meter();
  const make = connectionsOf(order, meter);
  const first = Array.from({ length: order.warmUp }, (_, at) => make(at));
  await openAll(first, order.opening);
  for (const connection of first) connection.close();
  await pause(SETTLE);

  const connections = Array.from({ length: order.connections }, (_, at) => make(at));
  const memoryBefore = memoryOf(order.watched);
  let times: number[] = [];
  const measured = await counted(order.watched, async () => (times = await openAll(connections, order.opening)));
  await pause(SETTLE);
  const memoryAfter = memoryOf(order.watched);
  const idle = await counted(order.watched, () => pause(order.seconds * 1_000));
  return {
    ...measured,
    ...{ joins: connections.length, busy: meter.busy, memoryBefore, memoryAfter, closed: meter.closed },
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    idleCpu: idle.cpu,
    idleSeconds: idle.seconds,
  };
}
