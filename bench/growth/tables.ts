import type { FanOutReport } from "../load/order";
import { total } from "../load/proc";
import { deliveriesPerCpu, fanOut, join, joinsPerCpu, kibEach, scenarios } from "../scenarios";
import type { SeedPlan } from "../seed/seed";
import type { Embedded } from "../subjects/embedded";
import { GROUPS } from "../subjects/subject";
import { count, fixed, percent, printTable } from "../support/table";
import { readHistogram } from "./metrics";

/** What a table is given: the product anew for each row, and how much is asked of it. */
export interface Place {
  start(): Promise<Embedded>;
  seconds: number;
  quick: boolean;
}

const WARM = 2;

/** Members of a room, up to the people there are. */
const membersOf = (quick: boolean): number[] => (quick ? [10, 100, 1_000] : [10, 100, 1_000, 10_000]);
const peopleOf = (quick: boolean): number => (quick ? 1_000 : 10_000);
/** Deliveries a second, the same for every size of rooms. */
const OFFERED = 50_000;
const SENDERS = 100;

/** Rooms of a socket, and how many sockets: enough that what one costs can be seen. */
const sockets = [
  { rooms: 5, connections: 2_000 },
  { rooms: 50, connections: 1_000 },
  { rooms: 500, connections: 200 },
];
/** Of the user with the most rooms; in every room there are then 50 people. */
const MANY = { rooms: 2_000, each: 500, users: 200 };
/** Sockets opened at a time where it matters how long one takes. */
const FEW = 4;

const CONNECTIONS = [1_000, 5_000, 15_000];
const RATES = [200, 1_000, 2_000, 4_000, 8_000, 16_000];
const BATCH = "rookery_commit_batch_entries";

export function growthPlan(quick: boolean): SeedPlan {
  const people = peopleOf(quick);
  const sizes = membersOf(quick).map(members => [`of${members}`, { rooms: people / members, each: 1 }]);
  return {
    users: people,
    groups: { ...GROUPS, many: MANY, ...(Object.fromEntries(sizes) as SeedPlan["groups"]) },
    messages: 0,
  };
}

/** The last row is not started until the one before has ended: all share one data folder. */
async function onFresh<T>({ start }: Place, work: (subject: Embedded) => Promise<T>): Promise<T> {
  const subject = await start();
  try {
    return await work(subject);
  } finally {
    await subject.stop();
  }
}

const lost = (report: FanOutReport): string => String(report.refused + total(report.closed));

async function members(place: Place): Promise<void> {
  const rows: string[][] = [];
  const people = peopleOf(place.quick);
  for (const size of membersOf(place.quick)) {
    const rooms = people / size;
    const scenario = { group: `of${size}`, rooms, connections: people, senders: Math.min(SENDERS, rooms), window: 1 };
    const extent = { warm: WARM, seconds: place.seconds };
    const report = await onFresh(place, subject => fanOut(subject, scenario, extent, OFFERED / size));
    rows.push([
      count(size),
      count(rooms),
      count(report.sends / report.seconds),
      count(report.deliveries / report.seconds),
      count(deliveriesPerCpu(report)),
      fixed((1e6 * total(report.cpu)) / report.sends, 0),
      fixed(report.p50),
      fixed(report.p99),
      lost(report),
    ]);
  }
  const head = ["members", "rooms", "sends/s", "deliveries/s", "per CPU s", "CPU us/send", "p50 ms", "p99 ms", "lost"];
  printTable(
    `members of a room: ${count(people)} connections, ${count(OFFERED)} deliveries a second offered`,
    head,
    rows,
  );
}

async function rooms(place: Place): Promise<void> {
  const rows: string[][] = [];
  for (const { rooms: each, connections } of sockets) {
    const extent = { idle: place.quick ? connections / 10 : connections, seconds: 1 };
    // Only users with so many rooms: the connections are devices of theirs.
    const report = await onFresh(place, subject =>
      join(subject, extent, each, { group: "many", opening: FEW, users: MANY.users }),
    );
    rows.push([
      String(each),
      count(report.joins),
      fixed(report.p50),
      fixed(report.p99),
      fixed(kibEach(report), 1),
      count(joinsPerCpu(report)),
      count(joinsPerCpu(report) * each),
    ]);
  }
  const head = ["rooms", "sockets", "hello p50 ms", "p99 ms", "KB/socket", "hellos/CPU s", "rooms/CPU s"];
  printTable(`rooms of a socket, ${FEW} opened at a time`, head, rows);
}

async function connections(place: Place): Promise<void> {
  const rows: string[][] = [];
  for (const idle of CONNECTIONS.slice(0, place.quick ? 2 : undefined)) {
    const report = await onFresh(place, subject => join(subject, { idle, seconds: place.seconds }, subject.idleRooms));
    rows.push([
      count(idle),
      fixed(kibEach(report), 1),
      count(joinsPerCpu(report)),
      fixed(report.p50),
      fixed(report.p99),
      `${((100 * total(report.idleCpu)) / report.idleSeconds).toFixed(1)} %`,
      String(total(report.closed)),
    ]);
  }
  const head = ["connections", "KB/conn", "joins/CPU s", "hello p50 ms", "p99 ms", "idle CPU", "lost"];
  printTable(`connections with ${GROUPS.idle.each} rooms each`, head, rows);
}

async function batches(place: Place): Promise<void> {
  const rows: string[][] = [];
  for (const rate of RATES.slice(0, place.quick ? 3 : undefined)) {
    const [report, before, after] = await onFresh(place, async subject => {
      const first = await readHistogram(subject.metricsUrls, BATCH);
      const done = await fanOut(subject, scenarios.B, { warm: WARM, seconds: place.seconds }, rate);
      return [done, first, await readHistogram(subject.metricsUrls, BATCH)] as const;
    });
    const batched = after.count - before.count;
    rows.push([
      count(rate),
      count(report.sends / report.seconds),
      fixed(report.p50),
      fixed(report.p99),
      fixed((after.sum - before.sum) / Math.max(batched, 1)),
      fixed(report.eventsPerFrame),
      percent(total(report.cpu) / report.seconds),
      count(deliveriesPerCpu(report)),
      lost(report),
    ]);
  }
  const head = [
    "offered/s",
    "sends/s",
    "p50 ms",
    "p99 ms",
    "entries/batch",
    "events/frame",
    "CPU",
    "deliv./CPU s",
    "lost",
  ];
  printTable("batches of a room's log: 100 rooms of 10", head, rows);
}

export const tables: Record<string, (place: Place) => Promise<void>> = { members, rooms, connections, batches };
