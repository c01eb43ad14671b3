import { randomUUID } from "node:crypto";
import { ServiceBroker, type BrokerOptions, type ServiceSchema } from "moleculer";
import { loadConfig } from "../../config/config";
import { nodeOptions } from "../../config/node";
import type { Clock } from "../../services/core/clock";
import type { Identity } from "../../services/core/model";
import { permissionsOf, type Role } from "../../services/core/permissions";
import { newId } from "../../services/core/ids";
import { eventually } from "./eventually";
import { temporaryFolder } from "./temp";

export interface TestNode {
  services: readonly unknown[];
  /** Default: a new one. */
  dataDir?: string;
  env?: Record<string, string>;
  clock?: Clock;
  /** Nodes with the same one see each other. Default: alone. */
  cluster?: string;
}

/** The one secret of all test nodes. */
export const SECRET = "7vJ2mQ9xRk4TzN1bYw8LcHs5DfGp3AeU";

/** A started node as `npm start` would make it, without log and metrics. Stopped after the tests of the file. */
export async function startNode(node: TestNode): Promise<ServiceBroker> {
  const broker = makeNode(node);
  running.push(broker);
  await broker.start();
  return broker;
}

/** Such a node, not started and not stopped by anybody; with TRANSPORTER in `env` over the NATS that it names. */
export function makeNode({ services, dataDir, env, clock, cluster }: TestNode): ServiceBroker {
  const config = loadConfig({
    DATA_DIR: dataDir ?? temporaryFolder(),
    JWT_SECRET: SECRET,
    ADMIN_PASSWORD: "correct horse battery",
    PASSWORD_COST: "4",
    ...env,
  });
  const broker = new ServiceBroker({
    ...nodeOptions(config, clock),
    namespace: cluster ?? randomUUID(),
    ...(config.cluster === null && { transporter: cluster === undefined ? null : "Fake" }),
    logger: false,
    metrics: false,
    skipProcessEventRegistration: true,
  } as BrokerOptions);
  for (const schema of services) broker.createService(schema as ServiceSchema);
  return broker;
}

const running: ServiceBroker[] = [];

/** Stops one node before its time. */
export async function stopNode(broker: ServiceBroker): Promise<void> {
  const at = running.indexOf(broker);
  if (at !== -1) running.splice(at, 1);
  await broker.stop();
}

afterAll(async () => {
  for (const broker of running.splice(0).reverse()) await broker.stop();
});

/** A signed-in user, as a door would put him into `meta.user`. */
export function identity(id: string = newId(), roles: Role[] = ["User"]): Identity {
  return { id, username: `user-${id.slice(-8)}`, roles, permissions: permissionsOf(roles), sid: newId() };
}

/** The code of the error a promise rejects with; fails if it does not reject. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    value => ({ type: `resolved: ${JSON.stringify(value)}` }),
    (reason: unknown) => reason,
  );
  return String((error as { type?: unknown }).type ?? error);
}

/** A clock that stands until it is moved. */
export class TestClock implements Clock {
  constructor(private at = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.at;
  }

  monotonic(): number {
    return this.at;
  }

  advance(ms: number): void {
    this.at += ms;
  }
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(String(condition), condition);
}
