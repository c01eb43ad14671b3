import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";
import { installed } from "../../deploy/local/servers";
import { afterFile } from "./cleanup";
import { RunServers, type ServerName } from "./run-servers";

const outside = (name: ServerName): string | undefined => process.env[RunServers.variables[name] ?? ""];
const isThere = (name: ServerName): boolean => Boolean(outside(name)) || installed[name];

const nats = isThere("nats");
const mongo = isThere("mongo");

/** Whether tests may ask for a server: it is installed, or `NATS_URL`, `MONGO_URL` name one; a cluster takes a proxy too. */
export const available = { nats, mongo, cluster: nats && mongo && installed.nginx };

/** What needs a server is left out where there is none; the end of the run says so. */
export const describeNats = available.nats ? describe : describe.skip;
export const describeMongo = available.mongo ? describe : describe.skip;
export const describeCluster = available.cluster ? describe : describe.skip;

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

const urlOf = async (name: ServerName): Promise<string> => outside(name) || (await ofRun(name));

/** What the run has under a name; started if nobody asked before. */
export async function ofRun(name: string): Promise<string> {
  const answer = await fetch(`${process.env.ROOKERY_RUN_SERVERS}/${name}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${name} did not start: ${text}`);
  return text;
}
