import { join } from "node:path";
import { projectRoot } from "../../../config/root";

/** How the product is started with a defect in it; as it is without one. */
export function entryOf(planted: string | null): { entry?: readonly string[]; env?: Record<string, string> } {
  if (planted === null) return {};
  const node = join(projectRoot, "test", "property", "planted", "node.ts");
  return { entry: ["--disable-proto=delete", "--import", "tsx", node], env: { PLANTED_DEFECT: planted } };
}
