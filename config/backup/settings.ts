import { randomBytes } from "node:crypto";
import { loadConfig, type Config } from "../config";

type Environment = Record<string, string | undefined>;

/**
 * The settings of the server whose store this is about. What only a running node needs may be missing: no token secret is
 * made for it, and MONGO_URL alone names the store of a cluster.
 */
export function storeSettings({ Jwt__Key: alias, ...environment }: Environment): Config {
  return loadConfig({
    ...environment,
    JWT_SECRET: environment.JWT_SECRET ?? alias ?? randomBytes(32).toString("base64url"),
    ...(environment.MONGO_URL && { TRANSPORTER: environment.TRANSPORTER ?? "nats://nobody" }),
  });
}
