import { stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Mistake, runCommand } from "../backup/mistake";
import { storeSettings } from "../backup/settings";
import { openArchive } from "./archive";
import { Importer } from "./importer";
import { Installation } from "./installation";
import { People } from "./people";
import { linesOf } from "./report";
import type { Source } from "./source";
import { RookerySource } from "./source.rookery";
import { SlackSource } from "./source.slack";

const USAGE = `npm run import -- FILE [--dry-run] [--as NAME] [--only NAME,NAME] [--match none]
  FILE         the export of a room, or a Slack export as zip or folder
  --dry-run    says what would be done and who would be who; writes nothing
  --as NAME    the name of the room here; if there is a channel of this name, the messages go into it
  --only NAMES rooms of a Slack export that are wanted
  --match none makes an account for everybody, instead of looking for the same e-mail or user name first
Writes into DATA_DIR, whose server must be stopped, or with TRANSPORTER into the cluster that runs.
Running it again adds nothing twice.`;

runCommand(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      "dry-run": { type: "boolean" },
      as: { type: "string" },
      only: { type: "string" },
      match: { type: "string", default: "all" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return USAGE;
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new Mistake(USAGE);
  if (!["all", "none"].includes(values.match)) throw new Mistake("--match: give all or none");
  const only = values.only === undefined ? undefined : new Set(values.only.split(","));
  const dryRun = values["dry-run"] === true;
  // A cluster's nodes have settings of their own: here they are those of whoever runs this.
  const { limits, retentionDays } = storeSettings({ ...process.env, TRANSPORTER: undefined, MONGO_URL: undefined });

  const source = await openSource(path);
  if (values.as !== undefined && source.origin === "slack" && only?.size !== 1)
    throw new Mistake("--as is the name of one room: say which by --only NAME");
  const here = await (dryRun ? Installation.look(process.env) : Installation.open(process.env));
  try {
    const people = new People(source.origin, here, { match: values.match === "all", dryRun });
    const importer = new Importer(source, here, people, limits.text, {
      ...(values.as !== undefined && { as: values.as }),
      ...(only && { only }),
      dryRun,
      retentionDays,
      now: Date.now(),
      progress: (room, messages) => console.error(`${room}: ${messages} messages so far`),
    });
    const rooms = await importer.run();
    return linesOf({ rooms, people, dryRun, asked: here !== null, retentionDays }).join("\n");
  } finally {
    await here?.close();
    await source.close();
  }
});

/** A folder or zip is Slack's, everything else a room of ours. */
async function openSource(path: string): Promise<Source> {
  const about = await stat(path);
  if (about.isDirectory() || /\.zip$/i.test(path)) return SlackSource.open(await openArchive(path));
  return RookerySource.open(path);
}
