import { createHmac, hkdfSync } from "node:crypto";
import { request, type IncomingMessage } from "node:http";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Context, ServiceBroker } from "moleculer";
import { platformOf } from "../../config/platform";
import type { Place } from "../../mixins/streams/door";
import { Seal, type Envelope } from "../../mixins/streams/envelope";
import { RookeryError } from "../../services/core/errors";
import { newId } from "../../services/core/ids";
import { codeOf, identity, SECRET, startNode, stopNode, TestClock, until } from "../support/broker";

/** Streams this service gave and took. */
const given: Readable[] = [];
const taken: Readable[] = [];

const Bytes = {
  name: "bytes",
  actions: {
    give: {
      auth: "user",
      visibility: "published",
      streams: true,
      params: { size: "number" },
      handler(ctx: Context<{ size: number }, Record<string, unknown>>) {
        ctx.meta["told"] = `for ${(ctx.meta["user"] as { username: string }).username}`;
        let left = ctx.params.size;
        const stream = new Readable({
          read() {
            const size = Math.min(left, 65_536);
            left -= size;
            this.push(size > 0 ? Buffer.alloc(size, "g") : null);
          },
        });
        given.push(stream);
        return stream;
      },
    },
    take: {
      auth: "user",
      visibility: "published",
      streams: true,
      async handler(ctx: Context) {
        const { stream } = ctx as unknown as { stream: Readable };
        taken.push(stream);
        return { read: await text(stream) };
      },
    },
    refuse: {
      auth: "user",
      visibility: "published",
      streams: true,
      handler() {
        throw new RookeryError("TOO_LARGE", "Too much for me.", { errors: [{ field: "file", message: "Large." }] });
      },
    },
    silent: {
      auth: "user",
      visibility: "published",
      streams: true,
      handler: () => new Promise(() => undefined),
    },
    plain: { auth: "internal", visibility: "public", handler: () => "not for this door" },
  },
};

describe("calls with streams between nodes", () => {
  let home: ServiceBroker;
  let door: ServiceBroker;
  const ann = identity();
  const cluster = newId();

  beforeAll(async () => {
    home = await startNode({ services: [Bytes], cluster });
    door = await startNode({ services: [], cluster });
    await door.waitForServices(["bytes"]);
  });

  const place = (): Place => (home.getLocalService("bytes")?.metadata as { streams: Place }).streams;
  const call = <T>(name: string, params: object, options: object = {}, meta: object = { user: ann }): Promise<T> =>
    door.call(`bytes.${name}`, params, { meta, ...options } as never) as Promise<T>;
  const knock = (headers: Record<string, string>): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { hosts, port } = place();
      const req = request({ host: hosts[0], port, method: "POST", headers, agent: false });
      req.once("response", resolve).on("error", reject).end("some bytes");
    });
  const envelope = (more: Partial<Envelope> = {}): Envelope => ({
    to: home.nodeID,
    sender: door.nodeID,
    id: newId(),
    action: "bytes.give",
    params: { size: 1 },
    meta: { user: ann },
    headers: null,
    timeout: 1_000,
    level: 1,
    tracing: null,
    parentID: null,
    requestID: null,
    caller: null,
    stream: false,
    ...more,
  });

  it("carry stream, parameters and meta there, and value, meta and errors back", async () => {
    const meta: Record<string, unknown> = { user: ann };
    const stream = await call<Readable>("give", { size: 200_000 }, {}, meta);
    expect(await text(stream)).toBe("g".repeat(200_000));
    expect(meta["told"]).toBe(`for ${ann.username}`);
    expect(await call("take", {}, { stream: Readable.from([Buffer.from("abc"), Buffer.from("d")]) })).toEqual({
      read: "abcd",
    });
    const error = await call("refuse", {}).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      type: "TOO_LARGE",
      code: 413,
      message: "Too much for me.",
      data: { errors: [{ field: "file", message: "Large." }] },
    });
    expect(await codeOf(call("take", {}, { stream: Readable.from([Buffer.from("x")]) }, {}))).toBe("UNAUTHENTICATED");
  });

  it("give a refusal at once, however much the sender has left to send", async () => {
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
    });
    expect(await codeOf(call("refuse", {}, { stream: endless }))).toBe("TOO_LARGE");
    await until(() => endless.destroyed);
  });

  it("are held back by whoever reads, and end on the other node when he leaves", async () => {
    const size = 64 * 1024 * 1024;
    const slow = await call<Readable>("give", { size });
    const source = given.at(-1) as Readable;
    // What a fast reader gets meanwhile is far more than pipes and sockets hold for the slow one.
    expect((await text(await call<Readable>("give", { size }))).length).toBe(size);
    expect(source.readableEnded).toBe(false);
    slow.destroy();
    await until(() => source.destroyed);
  });

  it("break off on the other node when the sender does", async () => {
    const upload = new PassThrough();
    upload.write("half");
    const answer = codeOf(call("take", {}, { stream: upload }));
    const before = taken.length;
    await until(() => taken.length > before);
    upload.destroy(new Error("gone"));
    expect(await answer).toBe("INVALID");
    await until(() => taken.at(-1)?.destroyed === true);
    expect(taken.at(-1)?.readableEnded).toBe(false);
  });

  it("are answered as of unknown outcome when nobody answers in time, and as unavailable when nobody is there", async () => {
    expect(["UNKNOWN_OUTCOME", "REQUEST_TIMEOUT"]).toContain(await codeOf(call("silent", {}, { timeout: 200 })));
    const other = await startNode({ services: [], cluster });
    await other.waitForServices(["bytes"]);
    const { services } = other.registry as unknown as { services: { services: { name: string; metadata: object }[] } };
    const known = services.services.find(({ name }) => name === "bytes") as { metadata: object };
    known.metadata = { streams: { hosts: ["127.0.0.1"], port: 1 } };
    expect(await codeOf(other.call("bytes.give", { size: 1 }, { meta: { user: ann } }))).toBe("UNAVAILABLE");
    known.metadata = {};
    expect(await codeOf(other.call("bytes.give", { size: 1 }, { meta: { user: ann } }))).toBe("UNAVAILABLE");
    await stopNode(other);
  });

  it("open to no one without a seal of this installation, for this node, and of now", async () => {
    const seal = new Seal(SECRET);
    const right = seal.close(envelope());
    expect((await knock({ "x-rookery-call": right })).statusCode).toBe(200);
    const [body = "", mac = ""] = right.split(".");
    const forged = (key: Buffer): string => `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
    const late = new TestClock(Date.now() - 61_000);
    const early = new TestClock(Date.now() + 61_000);
    const wrong: Record<string, string>[] = [
      {},
      { authorization: `Bearer ${platformOf(home).tokens.sign(ann, 0)}` },
      { "x-rookery-call": "" },
      { "x-rookery-call": body },
      { "x-rookery-call": `${body}.` },
      { "x-rookery-call": `${Buffer.from(JSON.stringify(envelope())).toString("base64url")}.${mac}` },
      { "x-rookery-call": forged(Buffer.from(SECRET)) },
      { "x-rookery-call": forged(Buffer.from(hkdfSync("sha256", SECRET, "", "rookery file links", 32))) },
      { "x-rookery-call": new Seal(`${SECRET}x`).close(envelope()) },
      { "x-rookery-call": seal.close(envelope({ to: door.nodeID })) },
      { "x-rookery-call": new Seal(SECRET, late).close(envelope()) },
      { "x-rookery-call": new Seal(SECRET, early).close(envelope()) },
    ];
    const before = given.length;
    for (const headers of wrong) {
      const res = await knock(headers);
      expect(res.statusCode).toBe(401);
      expect(await text(res)).toBe("");
    }
    expect(given.length).toBe(before);
  });

  it("reach no action but those declared with streams", async () => {
    for (const action of ["bytes.plain", "bytes.none", "$node.options"]) {
      const res = await knock({ "x-rookery-call": new Seal(SECRET).close(envelope({ action })) });
      expect(await text(res)).not.toContain("not for this door");
      const head = JSON.parse(Buffer.from(String(res.headers["x-rookery-answer"]), "base64url").toString()) as object;
      expect(head).toMatchObject({ kind: "error" });
    }
  });
});
