import type { ActionName } from "../services/core/contract";
import type { LogLevel } from "./variables";

/** At which level an operator sees what Moleculer says of itself. */

/** Modules whose every info is about how it is put together. */
const ASSEMBLY = new Set(["broker", "metrics", "tracer", "validator", "$node", "cacher"]);
const ROUTINE =
  /^(Service '.*' (started|stopped)\.|'.*' service is registered\.|Strategy: |Discoverer: |Waiting for service|Service\(s\) '.*' are available)/;
/** One line for every call while a service is away; whoever calls decides what that means. */
const AWAY = /^Service '.*' is not (registered|available|found)/;
/** What the start itself reports, in its own words. */
const REPORTED_BY_START = /^(Unable to start all services\.|Failed to load service )/;
/** The registry says it again, as what follows from it. */
const SILENCE = /^Heartbeat is not received from /;
const TIMED_OUT = /^Request '(?<action>[^']+)' is timed out\.$/;
/** Asked again and again, only to know; whoever asks turns red without an answer. */
const POLLS: ReadonlySet<string> = new Set<ActionName>(["auth.revocations", "node.health"]);
const NODE = /^Node '(?<id>[^']+)' (?<became>disconnected unexpectedly|reconnected)\.$/;

/** Where the lines of one process belong. */
export class FrameworkLevels {
  /** Nodes whose loss was not told. */
  private readonly unseen = new Set<string>();

  /** @param linked whether this process has its connection to the others: without it all of them fall silent */
  constructor(private readonly linked: () => boolean) {}

  /** The level of one call of the logger: its own, or debug for what tells an operator nothing. */
  of(module: string, level: LogLevel, first: unknown): LogLevel {
    return this.isNoise(module, level, first) ? "debug" : level;
  }

  private isNoise(module: string, level: LogLevel, first: unknown): boolean {
    if (module === "broker" && (first as { expected?: unknown } | null)?.expected === true) return true;
    if (typeof first !== "string") return false;
    if (module === "registry") return this.isOfLink(first);
    if (level === "error") return module === "broker" && REPORTED_BY_START.test(first);
    if (level === "warn")
      return module === "broker"
        ? AWAY.test(first) || POLLS.has(TIMED_OUT.exec(first)?.groups?.["action"] ?? "")
        : module === "Discovery" && SILENCE.test(first);
    return level === "info" && (ASSEMBLY.has(module) || ROUTINE.test(first));
  }

  /** A loss that is this process's own, which the link has told, and its end. */
  private isOfLink(message: string): boolean {
    const { id = "", became } = NODE.exec(message)?.groups ?? {};
    if (became === "reconnected") return this.unseen.delete(id);
    if (became === undefined || this.linked()) return ROUTINE.test(message);
    this.unseen.add(id);
    return true;
  }
}
