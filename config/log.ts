import { AsyncLocalStorage } from "node:async_hooks";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Loggers, type BrokerOptions } from "moleculer";
import pino, { type Logger } from "pino";
import type { Config } from "./config";
import type { LogLevel } from "./variables";
import { FrameworkLevels } from "./log.framework";
import { errorFields, printable, redact, redactText } from "./log.redact";

/** What ties the lines of one request together; set around every handler by the telemetry middleware. */
export interface RequestScope {
  requestId: string;
  traceId?: string;
}
export const requestScope = new AsyncLocalStorage<RequestScope>();

/**
 * Moleculer's logger on pino: one JSON object a line, redacted; on a terminal the same line in readable form. Made for the
 * operator: what Moleculer says about its own assembly, and what others tell already, is at debug here.
 * @param linked whether the connection to other nodes is there
 */
export function loggerOptions(config: Config, linked: () => boolean = () => true): BrokerOptions["logger"] {
  return [new Log(config.log, new FrameworkLevels(linked))] as unknown as BrokerOptions["logger"];
}

type LogHandler = (level: LogLevel, args: unknown[]) => void;
interface Bindings {
  mod?: string;
  nodeID?: string;
}

class Log extends Loggers.Base<{ level: LogLevel }> {
  private readonly pino: Logger;
  private readonly file: LogFile | null;

  constructor(
    { level, format, file }: Config["log"],
    private readonly levels: FrameworkLevels,
  ) {
    super({ level });
    this.file = file === null ? null : new LogFile(file);
    const print = format === "json" ? (line: string) => line : pretty;
    this.pino = pino(
      {
        level,
        base: null,
        messageKey: "message",
        serializers: { err: (fields: unknown) => fields },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: label => ({ level: label }) },
      },
      {
        write: (line: string) => {
          const safe = inJson(line);
          process.stdout.write(print(safe));
          this.file?.write(safe);
        },
      },
    );
  }

  override getLogHandler(bindings: Bindings): LogHandler {
    const module = bindings.mod ?? "broker";
    return (level, args) => {
      const as = this.levels.of(module, level, args[0]);
      if (!this.pino.isLevelEnabled(as)) return;
      const { message, fields } = recordOf(args);
      this.pino[as]({ module, ...requestScope.getStore(), ...fields }, message);
    };
  }

  override stop(): void {
    this.file?.close();
  }
}

/** Whatever was handed to a log method: texts become the message, objects fields, an error `err`. */
function recordOf(args: readonly unknown[]): { message: string; fields: Record<string, unknown> } {
  const texts: string[] = [];
  const fields: Record<string, unknown> = {};
  for (const arg of args) {
    if (arg instanceof Error) {
      fields.err = errorFields(arg);
      if (args.length === 1) texts.push(redactText(arg.message));
    } else if (typeof arg === "object" && arg !== null) {
      const part = redact(arg);
      if (typeof part === "object" && part !== null && !Array.isArray(part)) Object.assign(fields, part);
      else fields.data = part;
    } else texts.push(redactText(String(arg)));
  }
  for (const own of ["level", "time", "message", "module"])
    if (Object.hasOwn(fields, own)) {
      fields[`${own}_`] = fields[own];
      delete fields[own];
    }
  return { message: texts.join(" "), fields };
}

/** A line of JSON in which what JSON leaves alone, but terminals obey, is escaped too. */
const inJson = (line: string): string => `${printable(line.trimEnd())}\n`;

/** `10:44:35.285 INFO  rooms: message key=value`, errors with their stack, indented. */
function pretty(line: string): string {
  const { time, level, module, message, err, requestId, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const { stack, ...error } = (err ?? {}) as Record<string, unknown>;
  const all = { ...fields, ...error, ...(requestId !== undefined && { requestId }) };
  if (stack || error.message === message) delete (all as Record<string, unknown>).message;
  const pairs = Object.entries(all).map(([key, value]) => ` ${printable(key)}=${shown(value)}`);
  const head = `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${printable(String(module))}:`;
  const trace = typeof stack === "string" ? stack.split("\n").map(text => `    ${printable(text.trim())}\n`) : [];
  return `${head} ${printable(String(message ?? ""))}${pairs.join("")}\n${trace.join("")}`;
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return typeof value === "string" && /^[^\s"=]+$/.test(text)
    ? printable(text)
    : printable(JSON.stringify(value) ?? "");
}

/** Lines appended to a file that whoever rotates logs may move away: SIGHUP opens it anew. */
class LogFile {
  private readonly out: ReturnType<typeof pino.destination>;
  private closed = false;
  private readonly reopen = (): void => this.out.reopen();

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.out = pino.destination({ dest: path, append: true, mode: 0o640, sync: true });
    this.out.on("error", () => undefined);
    process.on("SIGHUP", this.reopen);
  }

  write(line: string): void {
    if (!this.closed) this.out.write(line);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    process.off("SIGHUP", this.reopen);
    this.out.flushSync();
    this.out.end();
  }
}
