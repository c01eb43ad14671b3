import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Mistake, runCommand } from "./mistake";
import { putBack } from "./put-back";
import { renewStore } from "./renew";
import { storeSettings } from "./settings";
import { STORE } from "./store-file";

const USAGE = `npm run restore -- --from FOLDER [--replace]   puts a backup into DATA_DIR, whose server must not run
npm run restore -- --new-epoch                 after another way of restoring: of MongoDB (MONGO_URL), of a copied DATA_DIR
  --replace   where DATA_DIR holds a store already: it is kept beside, in a folder of DATA_DIR`;

runCommand(async () => {
  const { from, replace, help, ...values } = parseArgs({
    options: {
      from: { type: "string" },
      replace: { type: "boolean", default: false },
      "new-epoch": { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  }).values;
  if (help) return USAGE;
  if ((from !== undefined) === values["new-epoch"])
    throw new Mistake("give --from FOLDER, a backup; or --new-epoch, where the store was put back by other means");
  const config = storeSettings(process.env);
  if (from === undefined) {
    if (!config.cluster && !existsSync(join(config.dataDir, STORE)))
      throw new Mistake(`DATA_DIR ${config.dataDir} holds no store`);
    return (await renewStore(config)).join("\n");
  }
  if (config.cluster)
    throw new Mistake("this is a cluster: put its store back by mongorestore, then npm run restore -- --new-epoch");
  const { manifest, told, replaced } = await putBack(config, from, replace);
  return [
    `${config.dataDir} is as it was at ${manifest.madeAt}`,
    ...(replaced ? [`what was there before is in ${replaced}`] : []),
    ...told,
  ].join("\n");
});
