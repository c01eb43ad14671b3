/** One process of the product, or a server it stands on. */
export interface Process {
  /** As the ground names it: `server`, `ws-gateway-1`, `services-2`, `nats-server`, `postgres`, ... */
  readonly name: string;
  readonly role: "server" | "gateway" | "api" | "services" | "nats" | "store" | "proxy";
  /** SIGKILL, and resolves when it is gone. It stays away until it is started. */
  kill(): Promise<void>;
  /** SIGTERM, and resolves when it has ended. It stays away until it is started. */
  stop(): Promise<unknown>;
  /** Resolves when it is ready again. */
  start(): Promise<void>;
  /** SIGSTOP. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Whether it runs, frozen or not. */
  readonly isRunning: boolean;
  /** Of the process itself, not of what guards it. */
  readonly pid: number;
  /** Moves its wall clock so many milliseconds from the machine's, until it is moved back to 0. Processes of the product only. */
  shift?(ms: number): Promise<void>;
}

/** A connection between parts of the product that can be troubled, both ways or one way. */
export interface Link {
  /** `nats of ws-gateway-1`, `store of services-1`, ... */
  readonly name: string;
  readonly to: "nats" | "store";
  /** What the server says arrives so many milliseconds later, at random by a quarter more or less. */
  slow(ms: number): Promise<void>;
  /** Connections stay open and nothing passes; `both` unless only what the node says (`up`), or hears (`down`), is lost. */
  cut(way?: "both" | "up" | "down"): Promise<void>;
  /** Everything open is reset, and new connections are refused. */
  reset(): Promise<void>;
  /**
   * Of packets to the node, this share comes twice, and this share late by at most 2 s, so that others overtake it. Links to
   * NATS only.
   */
  garble?(share: number): void;
  heal(): Promise<void>;
}

/** The product as it runs, in one shape, with everything that can go wrong with it in the hands of a test. */
export interface Ground {
  readonly shape: "embedded" | "cluster";
  /** The one origin. */
  readonly url: string;
  /** Addresses of the gateways' own sockets, and the origin's: `ws://HOST:PORT/ws`. */
  readonly doors: readonly string[];
  readonly adminPassword: string;
  readonly metricsUrls: readonly string[];
  readonly processes: readonly Process[];
  readonly links: readonly Link[];
  /** Folder of the embedded store; null in a cluster. */
  readonly dataDir: string | null;
  /** The disk of that store, where it can lose power while the server is dead. */
  readonly disk?: { lose(random: () => number): unknown };
  /** Everything the processes wrote, for a run that failed. */
  readonly output: string;
  /** Rejects if it takes longer than so many milliseconds until health is green and every process runs. */
  untilHealthy(ms?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Something that goes wrong for a while. */
export interface Fault {
  /** As `--faults` names it. */
  readonly name: string;
  readonly shapes: readonly Ground["shape"][];
  /** Whether this ground has what it takes; absent: every ground of its shapes. */
  isPossible?(ground: Ground): boolean;
  /**
   * Does it once and heals it: resolves when what it troubled is as before. `told` is called when the trouble begins and
   * ends, with what it is done to, and in between when the store was put back from a backup.
   */
  run(
    ground: Ground,
    random: () => number,
    told: (target: string, state: "begin" | "restored" | "end") => void,
  ): Promise<void>;
}
