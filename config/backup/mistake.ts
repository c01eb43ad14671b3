import { StorageError } from "../../mixins/storage-errors";
import { diagnose } from "../../mixins/sqlite/failure";
import { redactText } from "../log.redact";

/** What keeps a backup or a restore from being made: told in one line. */
export class Mistake extends Error {
  override readonly name = "Mistake";
}

/** Runs a command: what it resolves to on stdout, one line on stderr and code 1 if it fails. */
export function runCommand(command: () => Promise<string>): void {
  // What it makes is for its owner only.
  process.umask(0o077);
  command().then(
    text => console.log(text),
    (error: unknown) => {
      console.error(redactText(lineOf(error)));
      process.exitCode = 1;
    },
  );
}

function lineOf(error: unknown): string {
  const { message, stack, expected } = error as { message?: string; stack?: string; expected?: boolean };
  const told =
    error instanceof Mistake || error instanceof StorageError || expected || isCommandLine(error) || isOfSystem(error);
  return told ? String(message) : String(stack ?? error);
}

const isCommandLine = (error: unknown): boolean => /^ERR_PARSE_ARGS/.test((error as { code?: string }).code ?? "");

/** What the system refuses, as a folder that may not be written, says itself what and where. */
const isOfSystem = (error: unknown): boolean => typeof (error as { syscall?: unknown }).syscall === "string";

/** Whether there was no room for what was to be written, by SQLite or by the system. */
export const isFull = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT"].includes((error as { code?: string }).code ?? "") || diagnose(error).reason === "full";
