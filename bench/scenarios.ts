import { setTimeout as pause } from "node:timers/promises";
import { load } from "./load/load";
import type { ByRole, FanOutReport, JoinOrder, JoinReport } from "./load/order";
import { total } from "./load/proc";
import { DATABASE, GROUPS, type Subject } from "./subjects/subject";

/** How long and how many; the same for every subject of a run. */
export interface Extent {
  seconds: number;
  warm: number;
  /** Of the connections that stay idle. */
  idle: number;
}

export interface Scenario {
  /** Of the rooms that the seed has made, and how many these are. */
  group: string;
  rooms: number;
  connections: number;
  senders: number;
  window: number;
}

export const scenarios = {
  /** One room of 1,000 connections. */
  A: { group: "one", rooms: GROUPS.one.rooms, connections: 1_000, senders: 1, window: 16 },
  /** 100 rooms of 10. */
  B: { group: "hundred", rooms: GROUPS.hundred.rooms, connections: 1_000, senders: 100, window: 4 },
} satisfies Record<string, Scenario>;

export interface Row {
  name: string;
  A: { saturated: FanOutReport; half: FanOutReport };
  B: { saturated: FanOutReport; half: FanOutReport };
  /** One room each; and as many as the subject's idle connections have. */
  join: JoinReport;
  idle: JoinReport;
}

/** Milliseconds in which a server forgets the connections of the step before. */
const SETTLE = 1_500;

/** Everything of one row, on a server that has just been started: memory comes first. */
export async function measure(subject: Subject, extent: Extent, tell: (step: string) => void): Promise<Row> {
  tell("idle connections");
  const idle = await join(subject, extent, subject.idleRooms);
  await pause(SETTLE);
  tell("joins");
  // Counted once the server's code is compiled, else of five processes that share the work each is still a beginner.
  const single = await join(subject, extent, 1, { warmUp: extent.idle });
  const fan = async (name: keyof typeof scenarios): Promise<Row["A"]> => {
    await pause(SETTLE);
    tell(`${name}, saturated`);
    const saturated = await fanOut(subject, scenarios[name], extent);
    await pause(SETTLE);
    tell(`${name}, at half of that`);
    const rate = saturated.sends / saturated.seconds / 2;
    return { saturated, half: await fanOut(subject, scenarios[name], extent, rate) };
  };
  return { name: subject.name, A: await fan("A"), B: await fan("B"), join: single, idle };
}

export function fanOut(
  { protocol, ports, textBytes, ground, watched }: Subject,
  { group, rooms, connections, senders, window }: Scenario,
  { warm, seconds }: Omit<Extent, "idle">,
  rate?: number,
): Promise<FanOutReport> {
  const crowd = { protocol, ports, connections, rooms, roomsEach: 1, ground, group, watched: watched() };
  return load({ kind: "fan-out", ...crowd, senders, window, rate, textBytes, warm, seconds });
}

/** @param more another group of the seed's rooms, fewer users, how many connections are opened at a time or come before */
export function join(
  { protocol, ports, ground, watched, opening }: Subject,
  { idle, seconds }: Omit<Extent, "warm">,
  roomsEach: number,
  more: Partial<Pick<JoinOrder, "group" | "users" | "opening" | "warmUp">> = {},
): Promise<JoinReport> {
  const { rooms } = GROUPS.idle;
  const crowd = { protocol, ports, connections: idle, rooms, roomsEach, ground, group: "idle", watched: watched() };
  return load({ kind: "join", ...crowd, opening, warmUp: Math.ceil(idle / 10), seconds, ...more });
}

/** CPU seconds of all but the database. */
export const productCpu = (cpu: ByRole): number => total(cpu) - (cpu[DATABASE] ?? 0);

export const deliveriesPerCpu = ({ deliveries, cpu }: FanOutReport): number => deliveries / productCpu(cpu);

export const joinsPerCpu = ({ joins, cpu }: JoinReport): number => joins / productCpu(cpu);

/** KiB of one connection, the database's left out. */
export const kibEach = ({ joins, memoryBefore, memoryAfter }: JoinReport): number =>
  (productCpu(memoryAfter) - productCpu(memoryBefore)) / joins / 1024;

/** One row for each subject: of every figure the one of its middle round, since a machine is not as fast at every time. */
export function middleOf(rows: readonly Row[]): Row[] {
  return [...new Set(rows.map(({ name }) => name))].map(name => {
    const rounds = rows.filter(row => row.name === name);
    const middle = <T>(of: (row: Row) => T, figure: (value: T) => number): T =>
      rounds.map(of).toSorted((one, other) => figure(one) - figure(other))[rounds.length >> 1] as T;
    return {
      name,
      A: middle(
        ({ A }) => A,
        ({ saturated }) => deliveriesPerCpu(saturated),
      ),
      B: middle(
        ({ B }) => B,
        ({ saturated }) => deliveriesPerCpu(saturated),
      ),
      join: middle(row => row.join, joinsPerCpu),
      idle: middle(row => row.idle, kibEach),
    };
  });
}
