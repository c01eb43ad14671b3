import type { LoggerConfig } from "moleculer";
import type { Config } from "./config";

export function loggerOptions(config: Config): LoggerConfig {
  return {
    type: "Console",
    options: { level: config.log.level, formatter: config.log.format === "json" ? "json" : "short" },
  } as LoggerConfig;
}
