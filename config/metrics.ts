import type { BrokerOptions, Middleware, ServiceBroker } from "moleculer";
import type { RetentionState } from "../services/core/contract";
import { CLOSES } from "../services/core/closes";
import type { Config } from "./config";
import type { Health } from "./health";
import { Distribution, expose, Tally, type Description, type Sample } from "./metrics.instruments";
import { exposeProcess } from "./metrics.process";
import { PrometheusReporter } from "./metrics.reporter";

/** Close codes of the protocol itself end here. */
const FIRST_CUSTOM = 1_016;
const OURS: ReadonlySet<number> = new Set(Object.values(CLOSES).map(({ code }) => code));

export type Wire = "native" | "signalr" | "socketio" | "stream";
/** How a request to store something was answered; `unknown` is the one to worry about. */
export type Outcome = "ok" | "failed" | "unknown";
/** In what state a room was handed to a socket that asked for it. */
export type Resumption = "live" | "replayed" | "reset" | "denied";
/**
 * Why a socket was told to fetch a room anew. Of its offset: from another `epoch`, `ahead` of the log, below its `floor`,
 * `hidden` from this member, too far `behind`; or the `log` could not be read, or a `gap` could not be closed in time.
 */
export type ResetCause = "epoch" | "ahead" | "floor" | "hidden" | "behind" | "log" | "gap";
/** What a gateway read a part of a log for. */
export type RangeUse = "heal" | "replay";
/** Why a gateway dropped an entry the bus brought: it had it, or too much waited behind a gap (it is read from the log). */
export type DropCause = "duplicate" | "overflow";

const WIRES: readonly [Wire][] = [["native"], ["signalr"], ["socketio"], ["stream"]];
const OUTCOMES: readonly [Outcome][] = [["ok"], ["failed"], ["unknown"]];
const RESUMPTIONS: readonly [Resumption][] = [["live"], ["replayed"], ["reset"], ["denied"]];
const RESETS: readonly [ResetCause][] = [["epoch"], ["ahead"], ["floor"], ["hidden"], ["behind"], ["log"], ["gap"]];
const READS: readonly [RangeUse][] = [["heal"], ["replay"]];
const DROPS: readonly [DropCause][] = [["duplicate"], ["overflow"]];

/** Every metric of our own. No label ever holds the id of a user, a room, a socket or an address. */
const METRICS = {
  sockets: { name: "rookery_sockets_open", type: "gauge", labels: ["wire"], help: "Open sockets" },
  frames: { name: "rookery_frames_received_total", type: "counter", labels: ["wire"], help: "Frames from clients" },
  sends: {
    name: "rookery_sends_total",
    type: "counter",
    labels: ["wire"],
    help: "Messages that clients asked to send",
  },
  deliveries: { name: "rookery_deliveries_total", type: "counter", help: "Events handed to sockets, one each" },
  acks: { name: "rookery_acks_total", type: "counter", labels: ["outcome"], help: "Answers to writes, by outcome" },
  resumptions: {
    name: "rookery_room_subscriptions_total",
    type: "counter",
    labels: ["state"],
    help: "Rooms given to sockets, by state: live, replayed, reset, denied",
  },
  resets: {
    name: "rookery_room_resets_total",
    type: "counter",
    labels: ["cause"],
    help: "Rooms that sockets were told to fetch anew, by cause: epoch, ahead, floor, hidden, behind, log, gap",
  },
  gaps: { name: "rookery_gaps_healed_total", type: "counter", help: "Gaps in rooms' entries closed from the log" },
  ranges: {
    name: "rookery_ranges_read_total",
    type: "counter",
    labels: ["use"],
    help: "Parts of room logs that gateways read: heal, replay",
  },
  drops: {
    name: "rookery_entries_dropped_total",
    type: "counter",
    labels: ["cause"],
    help: "Entries from the bus that gateways dropped: duplicate, overflow",
  },
  lostWriters: {
    name: "rookery_lost_writers_total",
    type: "counter",
    help: "Writers lost whose rooms were looked after",
  },
  conflicts: {
    name: "rookery_write_conflicts_total",
    type: "counter",
    help: "Batches that met entries of another writer of the room",
  },
  doubts: { name: "rookery_unknown_writes_total", type: "counter", help: "Batches whose outcome was unknown" },
  settled: {
    name: "rookery_unknown_writes_settled_total",
    type: "counter",
    help: "Batches of unknown outcome that are known to be stored, or never to be",
  },
  closes: {
    name: "rookery_sockets_closed_total",
    type: "counter",
    labels: ["code"],
    help: "Closes, by close code; other: made up by a client",
  },
  entries: { name: "rookery_entries_committed_total", type: "counter", help: "Entries stored in room logs" },
  batch: { name: "rookery_commit_batch_entries", type: "histogram", help: "Entries of one commit" },
  commit: {
    name: "rookery_commit_seconds",
    type: "histogram",
    help: "Time of one commit of the store, fsync included",
  },
  queue: { name: "rookery_queue_length", type: "gauge", labels: ["queue"], help: "What waits in a queue" },
  retired: { name: "rookery_retention_entries_removed_total", type: "counter", help: "Entries removed for their age" },
  retentionRounds: {
    name: "rookery_retention_rounds_total",
    type: "counter",
    help: "Rounds over all rooms, looking for what is too old",
  },
  retentionOverdue: {
    name: "rookery_retention_overdue_seconds",
    type: "gauge",
    help: "By how much the oldest entry found has outstayed its time, in the round under way or the last",
  },
  retentionLast: {
    name: "rookery_retention_last_round_timestamp_seconds",
    type: "gauge",
    help: "When the last round ended; 0: this node has ended none",
  },
  retentionTook: {
    name: "rookery_retention_last_round_seconds",
    type: "gauge",
    help: "What that round took",
  },
  filesRemoved: {
    name: "rookery_files_removed_total",
    type: "counter",
    help: "Files removed that no message shows any more",
  },
  limits: {
    name: "rookery_rate_limit_hits_total",
    type: "counter",
    labels: ["limit", "outcome"],
    help: "Requests over a limit: refused, or only counted (RATE_LIMIT=count)",
  },
  audits: {
    name: "rookery_audit_records_total",
    type: "counter",
    labels: ["outcome"],
    help: "Records of the audit log, by outcome: stored, or dropped because too many waited for the log",
  },
  rejections: { name: "rookery_unhandled_rejections_total", type: "counter", help: "Promises nobody handled: defects" },
} as const satisfies Record<string, Description>;

type RetentionMetric = "retentionRounds" | "retentionOverdue" | "retentionLast" | "retentionTook";
type RetentionFigures = Pick<RetentionState, "rounds" | "overdue" | "last">;
const isOfRetention = (name: string): name is RetentionMetric => name.startsWith("retention");

const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const COMMIT_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What services count. Every method is an add to a number, read when Prometheus asks: cheap enough for every frame. */
export class RookeryMetrics {
  private readonly sockets = new Tally(METRICS.sockets.labels, WIRES);
  private readonly frames = new Tally(METRICS.frames.labels, WIRES);
  private readonly sends = new Tally(METRICS.sends.labels, WIRES);
  private readonly deliveries = new Tally([]);
  private readonly acks = new Tally(METRICS.acks.labels, OUTCOMES);
  private readonly resumptions = new Tally(METRICS.resumptions.labels, RESUMPTIONS);
  private readonly resets = new Tally(METRICS.resets.labels, RESETS);
  private readonly gaps = new Tally([]);
  private readonly ranges = new Tally(METRICS.ranges.labels, READS);
  private readonly drops = new Tally(METRICS.drops.labels, DROPS);
  private readonly lostWriters = new Tally([]);
  private readonly conflicts = new Tally([]);
  private readonly doubts = new Tally([]);
  private readonly settled = new Tally([]);
  private readonly closes = new Tally(METRICS.closes.labels);
  private readonly entries = new Tally([]);
  private readonly batch = new Distribution(BATCH_BOUNDS);
  private readonly commit = new Distribution(COMMIT_BOUNDS);
  private readonly retired = new Tally([]);
  private readonly filesRemoved = new Tally([]);
  private readonly limits = new Tally(METRICS.limits.labels);
  private readonly audits = new Tally(METRICS.audits.labels, [["stored"], ["dropped"]]);
  private readonly rejections = new Tally([]);
  private readonly queues = new Map<string, () => number>();
  private retentionState: () => RetentionFigures | null = () => null;

  constructor(broker: ServiceBroker) {
    const { metrics: registry } = broker;
    for (const name of Object.keys(METRICS) as (keyof typeof METRICS)[])
      expose(registry, METRICS[name], () => {
        if (name === "queue") return this.queueLengths();
        return isOfRetention(name) ? this.retentionFigure(name) : this[name].read();
      });
  }

  opened(wire: Wire): void {
    this.sockets.add(1, wire);
  }

  /** @param code the close code, as sent; clients may send any */
  closed(wire: Wire, code: number): void {
    this.sockets.add(-1, wire);
    this.closes.add(1, code < FIRST_CUSTOM || OURS.has(code) ? String(code) : "other");
  }

  received(wire: Wire, frames = 1): void {
    this.frames.add(frames, wire);
  }

  sent(wire: Wire, messages = 1): void {
    this.sends.add(messages, wire);
  }

  /** An event that went to `sockets` sockets is that many deliveries. */
  delivered(sockets: number): void {
    this.deliveries.add(sockets);
  }

  acked(outcome: Outcome, answers = 1): void {
    this.acks.add(answers, outcome);
  }

  subscribed(state: Resumption, rooms = 1): void {
    this.resumptions.add(rooms, state);
  }

  /** Sockets were told to fetch a room anew. */
  reset(cause: ResetCause, sockets = 1): void {
    this.resets.add(sockets, cause);
  }

  /** A gap in a room's entries was closed from the log. */
  healed(): void {
    this.gaps.add(1);
  }

  /** A part of a room's log was asked for. */
  rangeRead(use: RangeUse): void {
    this.ranges.add(1, use);
  }

  /** Entries that the bus brought were dropped. */
  dropped(cause: DropCause, entries = 1): void {
    this.drops.add(entries, cause);
  }

  /** Writers were lost; what they wrote last is looked for. */
  lostWriter(writers = 1): void {
    this.lostWriters.add(writers);
  }

  /** A batch met entries of another writer. */
  conflicted(): void {
    this.conflicts.add(1);
  }

  /** Nobody knows whether a batch was stored. */
  doubted(): void {
    this.doubts.add(1);
  }

  /** Of such a batch it is known now. */
  doubtSettled(): void {
    this.settled.add(1);
  }

  /** One batch of a room's log was stored. */
  committed(entries: number): void {
    this.entries.add(entries);
    this.batch.observe(entries);
  }

  /** The embedded store committed a group. @param seconds from its first statement until it was durable */
  stored(seconds: number): void {
    this.commit.observe(seconds);
  }

  /** Somebody went over a limit. @param refused false where RATE_LIMIT=count let it pass */
  rateLimited(limit: string, refused: boolean): void {
    this.limits.add(1, limit, refused ? "refused" : "counted");
  }

  audited(outcome: "stored" | "dropped", records: number): void {
    this.audits.add(records, outcome);
  }

  unhandledRejection(): void {
    this.rejections.add(1);
  }

  /** Entries left a log for their age. */
  retire(entries: number): void {
    this.retired.add(entries);
  }

  fileRemoved(): void {
    this.filesRemoved.add(1);
  }

  /** Reads how far the removal of what is too old is at every scrape. */
  watchRetention(state: () => RetentionFigures): void {
    this.retentionState = state;
  }

  private retentionFigure(name: RetentionMetric): Sample[] {
    const { rounds = 0, overdue = 0, last = null } = this.retentionState() ?? {};
    const figures: Record<RetentionMetric, number> = {
      retentionRounds: rounds,
      retentionOverdue: overdue / 1000,
      retentionLast: (last?.at ?? 0) / 1000,
      retentionTook: (last?.took ?? 0) / 1000,
    };
    return [{ labels: {}, value: figures[name] }];
  }

  /** Reads a queue's length at every scrape, until the returned function is called. */
  watchQueue(queue: string, length: () => number): () => void {
    this.queues.set(queue, length);
    return () => {
      if (this.queues.get(queue) === length) this.queues.delete(queue);
    };
  }

  private queueLengths(): { labels: { queue: string }; value: number }[] {
    return [...this.queues].map(([queue, length]) => ({ labels: { queue }, value: length() }));
  }
}

const facades = new WeakMap<ServiceBroker, RookeryMetrics>();

/** The metrics of this broker's process. Works, and is shown nowhere, where metrics are switched off. */
export function metricsOf(broker: ServiceBroker): RookeryMetrics {
  let metrics = facades.get(broker);
  if (!metrics) facades.set(broker, (metrics = new RookeryMetrics(broker)));
  return metrics;
}

/** Where this broker's metrics are served; null where they are not. */
export function metricsUrl(broker: ServiceBroker): string | null {
  return reporterOf(broker)?.url ?? null;
}

/** @param health what the port answers when asked whether the process can work */
export function metricsOptions(config: Config, health: Pick<Health, "report">): BrokerOptions["metrics"] {
  return {
    enabled: true,
    collectProcessMetrics: false,
    // Quantiles keep every duration of the last minute; buckets tell the same to whoever adds nodes up.
    defaultQuantiles: null,
    reporter: [new PrometheusReporter(config.metricsPort, config.host, health)],
  } as unknown as BrokerOptions["metrics"];
}

/** Opens the metrics port before any service starts, so that a taken one ends the start by name. */
export const metricsMiddleware = (): Middleware => {
  let stopSampling: (() => void) | undefined;
  return {
    name: "Metrics port",
    created(broker: ServiceBroker) {
      metricsOf(broker);
      if (broker.isMetricsEnabled()) stopSampling = exposeProcess(broker.metrics);
    },
    async starting(broker: ServiceBroker) {
      await reporterOf(broker)?.open();
    },
    stopped() {
      stopSampling?.();
    },
  } as object as Middleware;
};

function reporterOf(broker: ServiceBroker): PrometheusReporter | undefined {
  const { reporter } = broker.metrics as unknown as { reporter?: unknown[] };
  return reporter?.find(one => one instanceof PrometheusReporter);
}
