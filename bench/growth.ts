import { parseArgs } from "node:util";
import { growthPlan, tables } from "./growth/tables";
import { startEmbedded } from "./subjects/embedded";
import { mustBeBuilt } from "./subjects/product";
import { pinServers } from "./support/cores";
import { seededFolder } from "./support/ground";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/growth.ts [--table members|rooms|connections|batches] [--seconds 5] [--quick]
What the built product costs, as one process, by how much there is of something. Every row is measured on a fresh start.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      table: { type: "string", multiple: true },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(USAGE);
  const wanted = values.table ?? Object.keys(tables);
  const unknown = wanted.filter(name => !Object.hasOwn(tables, name));
  if (unknown.length > 0) throw new Error(`--table: one of ${Object.keys(tables).join(", ")}`);
  const { quick } = values;
  mustBeBuilt();
  pinServers();
  const folder = await seededFolder(growthPlan(quick));
  const place = { start: () => startEmbedded(folder), seconds: Number(values.seconds ?? (quick ? 2 : 5)), quick };
  for (const name of wanted) await tables[name]?.(place);
}

run(main);
