import { parseArgs } from "node:util";
import { makeBackup } from "./make";
import { Mistake, runCommand } from "./mistake";
import { storeSettings } from "./settings";
import { amount, bytes } from "./words";

const USAGE = `npm run backup -- --to FOLDER   copies the store in DATA_DIR to a new folder, while its server runs or not`;

runCommand(async () => {
  const { to, help } = parseArgs({
    options: { to: { type: "string" }, help: { type: "boolean", short: "h" } },
  }).values;
  if (help) return USAGE;
  if (!to) throw new Mistake("--to FOLDER: give a new folder for the backup");
  const config = storeSettings(process.env);
  if (config.cluster)
    throw new Mistake("this is a cluster: its store is backed up by mongodump, its files with their bucket or folder");
  const began = performance.now();
  const { store, files } = await makeBackup(config, to);
  const { rows } = store;
  return [
    `backup of ${config.dataDir} in ${to}, ${((performance.now() - began) / 1000).toFixed(1)} s`,
    `  store  ${bytes(store.bytes)}: ${amount(rows.entries, "entry", "entries")} of ${amount(rows.rooms, "room")}, ${amount(rows.users, "user")}`,
    files
      ? `  files  ${bytes(files.bytes)}: ${amount(files.count, "file")}`
      : "  files  are in S3: rely on the bucket's own versions",
    "it holds password hashes and secrets: guard it as DATA_DIR itself",
  ].join("\n");
});
