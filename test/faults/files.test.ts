import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync, utimesSync, writeFileSync } from "node:fs";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import type { ServiceName } from "../../config/variables";
import { ClusterNode } from "../../deploy/local/cluster-node";
import { startNats } from "../../deploy/local/servers";
import { newId } from "../../services/core/ids";
import { afterFile } from "../support/cleanup";
import { Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Server } from "../support/server";
import { ADMIN_PASSWORD, testSettings } from "../support/settings";
import { describeCluster, mongoUrl } from "../support/servers";
import { temporaryFolder } from "../support/temp";

const MIB = 1024 * 1024;
const SIZE = 25 * MIB;
const OTHERS: ServiceName[] = ["auth", "users", "rooms", "messages", "presence"];

/** Processes of their own for the door and for two homes of files, which share a folder. */
describeCluster("files of a cluster", () => {
  const dataDir = temporaryFolder();
  const large = randomBytes(SIZE);
  const nodes: Record<string, ClusterNode> = {};
  let env: Record<string, string>;
  let url: string;
  let ann: Client;

  const startNode = async (name: string, services: ServiceName[]): Promise<void> => {
    const options = { env, onLine: () => undefined, onDeath: () => undefined };
    const node = (nodes[name] = await ClusterNode.create({ name, services }, options));
    afterFile(() => node.stop());
    await node.start();
  };
  const node = (name: string): ClusterNode => nodes[name] as ClusterNode;
  const homes = () => [node("files-1"), node("files-2")];

  beforeAll(async () => {
    const nats = await startNats();
    afterFile(() => nats.stop());
    const common = { HOST: "127.0.0.1", DATA_DIR: dataDir, JWT_SECRET: randomBytes(48).toString("base64url") };
    env = { ...testSettings(), ...common, TRANSPORTER: nats.url, MONGO_URL: await mongoUrl() };
    await Promise.all([
      startNode("others", OTHERS),
      startNode("files-1", ["files"]),
      startNode("files-2", ["files"]),
      startNode("api-gateway", ["api-gateway"]),
    ]);
    url = `http://127.0.0.1:${node("api-gateway").port}`;
    const server = { url, adminPassword: ADMIN_PASSWORD } as Server;
    const stage = await eventually("the door knows auth", () => Stage.on(server).catch(() => null), Boolean, 60_000);
    ann = await (stage as Stage).user("ann");
    await eventually("the door knows both homes", filesAnswer);
  }, 120_000);

  /** Twice in a row, by each node. */
  const filesAnswer = async (): Promise<boolean> => {
    const ask = (): Promise<Response> => fetch(`${url}/api/files/none`, { headers: authorization() });
    return [await ask(), await ask()].every(({ status }) => status === 404);
  };
  const authorization = () => ({ authorization: `Bearer ${ann.token}` });
  const save = async (content: Buffer): Promise<string> => {
    const answer = await fetch(`${url}/api/files?name=x.bin`, {
      method: "POST",
      headers: { ...authorization(), "content-type": "application/octet-stream" },
      body: new Uint8Array(content),
    });
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { url: string }).url;
  };
  const digestOf = async (path: string, headers: Record<string, string> = authorization()): Promise<string> => {
    const answer = await fetch(url + path, { headers });
    expect(answer.status).toBe(200);
    return sha(Buffer.from(await answer.arrayBuffer()));
  };
  /** An upload that has sent some and waits. */
  const beginUpload = async (first: Buffer, whole: number) => {
    const before = stagedFiles(dataDir);
    const headers = { ...authorization(), "content-type": "application/octet-stream", "content-length": whole };
    const req = request(`${url}/api/files?name=slow.bin`, { method: "POST", headers });
    const answer = answerOf(req);
    req.write(first);
    const isNew = (name: string): boolean => !before.includes(name);
    const name = await eventually("its bytes arrive", () => stagedFiles(dataDir).find(isNew));
    const home = homes().find(({ pid }) => openFiles(pid, dataDir).some(file => file.includes(name as string)));
    return { req, answer, home: home as ClusterNode };
  };
  /** A download whose reader takes no more than the head. */
  const beginDownload = async (path: string): Promise<IncomingMessage> => {
    const req = request(url + path, { headers: authorization(), agent: false }).end();
    const res = await new Promise<IncomingMessage>((resolve, reject) =>
      req.once("response", resolve).on("error", reject),
    );
    expect(res.statusCode).toBe(200);
    return res.pause();
  };

  it("go up and come down to the byte, whichever node has them", async () => {
    const path = await save(large);
    for (let n = 0; n < 4; n++) expect(await digestOf(path)).toBe(sha(large));
    const small = await save(Buffer.from("small"));
    expect(await digestOf(small)).toBe(sha(Buffer.from("small")));
  });

  it("have links that every node takes", async () => {
    const path = await save(Buffer.from("linked"));
    const { body } = await ann.get(`${path}/link`);
    for (let n = 0; n < 4; n++) expect(await digestOf(body.url as string, {})).toBe(sha(Buffer.from("linked")));
  });

  it("wait where they are for a slow reader, in no memory of ours", async () => {
    const path = await save(large);
    await digestOf(path);
    const memory = (): number[] => [node("api-gateway"), ...homes()].map(({ pid }) => residentOf(pid));
    const before = memory();
    const readers = await Promise.all(Array.from({ length: 12 }, () => beginDownload(path)));
    // As long as these take, the slow ones could have been served many times over.
    for (let n = 0; n < 4; n++) expect(await digestOf(path)).toBe(sha(large));
    const growth = memory().map((bytes, at) => bytes - (before[at] ?? 0));
    expect(Math.max(...growth)).toBeLessThan(6 * SIZE);
    for (const reader of readers.slice(1)) reader.destroy();
    const [patient] = readers as [IncomingMessage];
    expect(sha(Buffer.concat(await patient.resume().toArray()))).toBe(sha(large));
  }, 90_000);

  it("leave nothing open or behind when a client goes half-way", async () => {
    const path = await save(large);
    const download = await beginDownload(path);
    await eventually("a node reads the file", () => homes().some(({ pid }) => openFiles(pid, dataDir).length > 0));
    download.destroy();
    const upload = await beginUpload(large.subarray(0, MIB), SIZE);
    upload.answer.catch(() => undefined);
    upload.req.destroy();
    await eventually("nothing is open", () => homes().every(({ pid }) => openFiles(pid, dataDir).length === 0));
    // It is taken away once it is closed.
    await eventually("nothing is left", () => stagedFiles(dataDir).length === 0);
  });

  it("are not taken for leftovers by a node that starts while they come in; what is left of old is removed", async () => {
    const old = join(dataDir, "files", "staged", newId());
    writeFileSync(old, "nobody is at it");
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(old, hourAgo, hourAgo);
    const content = large.subarray(0, 2 * MIB);
    const { req, answer, home } = await beginUpload(content.subarray(0, MIB), content.length);
    const [other] = homes().filter(one => one !== home) as [ClusterNode];
    await other.restart();
    expect(existsSync(old)).toBe(false);
    req.end(content.subarray(MIB));
    const { status, body } = await answer;
    expect(status).toBe(201);
    expect(await digestOf(body.url as string)).toBe(sha(content));
  }, 90_000);

  it("are answered with a code when their node dies half-way, and the other node goes on", async () => {
    const kept = await save(Buffer.from("kept"));
    const { answer, home } = await beginUpload(large.subarray(0, MIB), SIZE);
    await home.kill9();
    const { status, body } = await answer;
    expect([503, 504]).toContain(status);
    expect(["UNAVAILABLE", "UNKNOWN_OUTCOME"]).toContain(body.code);
    await eventually("the dead node is asked no more", filesAnswer);
    expect(await digestOf(kept)).toBe(sha(Buffer.from("kept")));
    expect(await digestOf(await save(large))).toBe(sha(large));
    await home.start();
  }, 90_000);

  it("end for their reader when their node dies half-way", async () => {
    const path = await save(large);
    const download = await beginDownload(path);
    const home = await eventually("a node reads the file", () =>
      homes().find(({ pid }) => openFiles(pid, dataDir).length > 0),
    );
    await (home as ClusterNode).kill9();
    await expect(download.resume().toArray()).rejects.toThrow();
  });
});

const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const stagedFiles = (dataDir: string): string[] => readdirSync(join(dataDir, "files", "staged"));

/** What a process has open of the blobs. */
function openFiles(pid: number, dataDir: string): string[] {
  const dir = `/proc/${pid}/fd`;
  return readdirSync(dir).flatMap(fd => {
    try {
      const target = readlinkSync(join(dir, fd));
      return target.startsWith(join(dataDir, "files")) ? [target] : [];
    } catch {
      return [];
    }
  });
}

/** Bytes of memory. */
const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

async function answerOf(req: ClientRequest): Promise<{ status: number | undefined; body: Record<string, unknown> }> {
  const res = await new Promise<IncomingMessage>((resolve, reject) =>
    req.once("response", resolve).on("error", reject),
  );
  return { status: res.statusCode, body: (await json(res)) as Record<string, unknown> };
}
