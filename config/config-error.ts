/** Names every setting that is wrong, one a line. Values are never in it: they may be secrets. */
export class ConfigError extends Error {
  /** An operator's mistake, not a defect: shown without a stack. */
  readonly expected = true;

  constructor(readonly problems: string[]) {
    super(`Configuration is not valid:\n${problems.map(problem => `  ${problem}`).join("\n")}`);
    this.name = "ConfigError";
  }
}
