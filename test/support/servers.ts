import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";
import { installed } from "../../deploy/local/servers";
import { afterFile } from "./cleanup";
import { RunServers, type ServerName } from "./run-servers";

const isThere = (name: ServerName): boolean => Boolean(process.env[RunServers.variable(name)]) || installed[name];

/** Whether tests may ask for the server: it is installed, or `NATS_URL`, `MONGO_URL` name one. */
export const available = { nats: isThere("nats"), mongo: isThere("mongo") };

/** What needs a server is left out where there is none; the setup of the run says so. */
export const describeNats = available.nats ? describe : describe.skip;
export const describeMongo = available.mongo ? describe : describe.skip;
export const describeCluster = available.nats && available.mongo ? describe : describe.skip;

/** A nats-server that other files use too: take a namespace of your own. Kill servers of your own only. */
export const natsUrl = (): Promise<string> => urlOf("nats");

/** A database of its own on a server that other files use too, dropped after the tests of the file. */
export async function mongoUrl(): Promise<string> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  const url = new URL(await urlOf("mongo"));
  url.pathname = `/${name}`;
  afterFile(() => drop(url.href));
  return url.href;
}

async function drop(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000 });
  try {
    await client.db().dropDatabase();
  } finally {
    await client.close();
  }
}

const urlOf = async (name: ServerName): Promise<string> =>
  process.env[RunServers.variable(name)] ?? (await ofRun(name));

/** What the run has under a name; started if nobody asked before. */
export async function ofRun(name: string): Promise<string> {
  const answer = await fetch(`${process.env.ROOKERY_RUN_SERVERS}/${name}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${name} did not start: ${text}`);
  return text;
}
