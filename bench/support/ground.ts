import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Progress } from "../seed/progress";
import { keepGround, seed, type SeedPlan } from "../seed/seed";
import { secretFile } from "../seed/stores";
import { startCluster, type RunningCluster } from "../subjects/cluster";
import { startEmbedded, type Embedded } from "../subjects/embedded";
import { onEnd } from "./undo";

/** The product with users and rooms in it, in a folder that goes with this process. */

export async function groundedEmbedded(plan: SeedPlan, nodeArguments?: readonly string[]): Promise<Embedded> {
  return startEmbedded({ ...(await seededFolder(plan)), nodeArguments });
}

/** Where the product can be started as one process, again and again. */
export async function seededFolder(plan: SeedPlan): Promise<{ dataDir: string; ground: string }> {
  const { dataDir, ground } = folder("embedded");
  keepGround(ground, await seed({ dataDir }, plan, new Progress()));
  return { dataDir, ground };
}

export interface GroundedCluster extends RunningCluster {
  ground: string;
}

/** @param program arguments of node for every process of the product; default: the product as it is built */
export async function groundedCluster(plan: SeedPlan, program?: readonly string[]): Promise<GroundedCluster> {
  const { dataDir, ground } = folder("cluster");
  const running = await startCluster(dataDir, program);
  const where = { mongoUrl: running.cluster.mongoUrl, jwtSecret: readFileSync(secretFile(dataDir), "utf8") };
  keepGround(ground, await seed(where, plan, new Progress()));
  return { ...running, ground };
}

function folder(name: string): { dataDir: string; ground: string } {
  const dir = temporaryFolder(name);
  return { dataDir: join(dir, "data"), ground: join(dir, "ground.json") };
}

/** Removed when this process ends. */
export function temporaryFolder(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `rookery-bench-${name}-`));
  onEnd(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
