import { readFileSync } from "node:fs";
import { LIMITS } from "../../services/core/limits";
import { expectStatus, say, Stage, type Client } from "../support/client";
import { encodeFrame, OPCODE, RawSocket } from "../support/raw-socket";
import { describeEmbedded, startServer } from "../support/server";

/** Empty fragments of one message, six bytes each. */
const FRAGMENTS = 300_000;
/** Bytes by which the server may grow with them. */
const GROWTH = 40 * 1024 * 1024;

describeEmbedded("what has no end elsewhere", () => {
  let stage: Stage;
  let ann: Client;
  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    ann = await stage.user("ann");
  });
  afterAll(() => stage.end());

  test("a message has so many different reactions and no more", async () => {
    const room = await stage.channel([ann]);
    const { id } = await say(ann, room, "hello");
    const react = (n: number) =>
      ann.put(`/api/messages/${id}/reactions/${encodeURIComponent(String.fromCodePoint(0x1f600 + n))}`);
    for (let n = 0; n < LIMITS.emoji; n++) expect((await react(n)).status).toBeLessThan(300);
    expectStatus(await react(LIMITS.emoji), 422);
    expect((await ann.get(`/api/messages/${id}`)).body.reactions).toHaveLength(LIMITS.emoji);
  });

  test("a message of fragments without end costs no memory, and nobody else anything", async () => {
    const { pid } = stage.server.process;
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;
    const raw = await RawSocket.open(stage.server.process.ports.port, { path: "/ws" });
    const before = resident();
    raw.tcp.on("error", () => undefined);
    raw.tcp.write(encodeFrame(OPCODE.TEXT, "", { fin: false }));
    const many = Buffer.concat(
      Array.from({ length: 1_000 }, () => encodeFrame(OPCODE.CONTINUATION, "", { fin: false })),
    );
    for (let n = 0; n < FRAGMENTS / 1_000 && !raw.tcp.destroyed; n++) {
      if (!raw.tcp.write(many)) await new Promise(resolve => raw.tcp.once("drain", resolve).once("close", resolve));
      if (n % 50 === 0) expectStatus(await ann.get("/api/users/me"), 200);
    }
    expect(resident() - before).toBeLessThan(GROWTH);
    expectStatus(await ann.get("/api/users/me"), 200);
    raw.tcp.destroy();
  });
});
