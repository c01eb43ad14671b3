import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { lockFolder } from "../../../../../mixins/sqlite/lock";

/**
 * Takes the lock of a folder and keeps it without keeping what it was given; prints `held`, or the message of the refusal.
 * Garbage is collected before, since nothing but the lock itself may decide how long it lasts.
 */
async function main(dir: string): Promise<void> {
  try {
    await lockFolder(dir);
  } catch (error) {
    console.log(`refused: ${(error as Error).message}`);
    return;
  }
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await new Promise(setImmediate);
  collect();
  await new Promise(setImmediate);
  console.log("held");
  setInterval(() => undefined, 60_000);
}

void main(process.argv[2] as string);
