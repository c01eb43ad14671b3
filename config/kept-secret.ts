import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDurableFolder, syncFolder } from "../mixins/durable-folder";
import { ConfigError } from "./config-error";

/** Bytes of a secret, at least. */
export const MIN_SECRET = 32;

/**
 * The secret of an embedded installation: made once, readable by its owner only. It gets its name when it is complete, so
 * of two starts at once both read the same one.
 */
export function keptSecret(dataDir: string): string {
  const file = join(dataDir, "jwt.secret");
  try {
    const secret = readSecret(file) ?? makeSecret(dataDir, file);
    if (Buffer.byteLength(secret) >= MIN_SECRET) return secret;
  } catch (error) {
    throw new ConfigError([`DATA_DIR: cannot keep the token secret in ${dataDir} (${codeOf(error)})`]);
  }
  throw new ConfigError([`DATA_DIR: ${file} is damaged; remove it and everybody signs in anew`]);
}

function readSecret(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

function makeSecret(dataDir: string, file: string): string {
  makeDurableFolder(dataDir);
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(draft, randomBytes(48).toString("base64url"), { mode: 0o600, flag: "wx", flush: true });
    linkSync(draft, file);
    syncFolder(dataDir);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(file, "utf8").trim();
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);
