import { join } from "node:path";
import { startMongo, startNats, startS3 } from "../../../deploy/local/servers";

const [, , dataDir = ""] = process.argv;

/** Starts one of each, with data in the folder that is given, and tells their pids in one line of JSON, then does nothing until it is killed. */
void Promise.all([
  startNats(),
  startMongo({ dataDir: join(dataDir, "mongo") }),
  startS3({ dataDir: join(dataDir, "s3") }),
]).then(([nats, mongo, s3]) => {
  console.log(JSON.stringify([nats.pid, s3.pid, ...mongo.pids]));
  setInterval(() => undefined, 60_000);
});
