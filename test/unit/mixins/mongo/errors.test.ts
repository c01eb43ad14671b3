import { BSON, type Document } from "mongodb";
import { MongoConnection } from "../../../../mixins/mongo/connection";
import type { StorageError } from "../../../../mixins/storage-errors";
import { describeMongo, mongoUrl } from "../../../support/servers";
import { TcpProxy } from "../../../support/tcp-proxy";

/** Length of what comes before the document in an answer: header, flags, kind of section. */
const BEFORE = 21;
const OP_MSG = 2013;

/** Changes the documents of answers, one answer a chunk; what servers say of themselves is left alone. */
function answersAs(change: (answer: Document) => Document): (bytes: Buffer) => Buffer {
  return bytes => {
    if (bytes.length <= BEFORE || bytes.readInt32LE(0) !== bytes.length || bytes.readInt32LE(12) !== OP_MSG)
      return bytes;
    const answer = BSON.deserialize(bytes.subarray(BEFORE));
    if ("maxWireVersion" in answer) return bytes;
    const message = Buffer.concat([bytes.subarray(0, BEFORE), BSON.serialize(change(answer))]);
    message.writeInt32LE(message.length, 0);
    return message;
  };
}

const unconfirmed = (code: number): Document => ({ writeConcernError: { code, errmsg: "not by enough in time" } });
const refusal = (code: number, errorLabels: string[] = []): Document => ({ ok: 0, code, errmsg: "no", errorLabels });
const duplicate = { writeErrors: [{ index: 0, code: 11000, errmsg: "E11000 dup index: slug dup key: { }" }] };

describeMongo("what a server's answer says of a write", () => {
  let proxy: TcpProxy;
  let connection: MongoConnection;

  beforeAll(async () => {
    const url = new URL(await mongoUrl());
    proxy = await TcpProxy.start(url.host);
    url.host = proxy.address;
    connection = await MongoConnection.open(url.href);
    await connection.prepare(db => db.collection("things").insertOne({}));
  });
  beforeEach(() => connection.prepare(db => db.command({ ping: 1 })));
  afterEach(() => (proxy.rewrite = bytes => bytes));
  afterAll(async () => {
    await connection.close();
    await proxy.stop();
  });

  const one = () => connection.write(db => db.collection("things").insertOne({}));
  const many = () => connection.write(db => db.collection("things").insertMany([{}, {}]));
  const oneOfGroup = () => connection.write(db => db.collection("things").insertMany([{}]));
  const remove = () => connection.write(db => db.collection("things").bulkWrite([{ deleteMany: { filter: {} } }]));
  const take = () => connection.write(db => db.collection("things").findOneAndDelete({}));
  const read = () => connection.read(db => db.collection("things").findOne({}));

  test.each<[string, Document, string]>([
    ["not confirmed in time", unconfirmed(64), "unknown unconfirmed"],
    ["not confirmed because the primary stepped down", unconfirmed(10107), "unknown unconfirmed"],
    ["not confirmed because of a shutdown", unconfirmed(91), "unknown unconfirmed"],
    ["a shutdown", refusal(91), "unknown io"],
    ["an interruption by an election", refusal(11602), "unknown io"],
    ["a time limit", refusal(50), "unknown io"],
    ["an inner failure", refusal(1), "unknown io"],
    ["a code nobody knows", refusal(987_654), "unknown io"],
    ["not the primary, nothing written", refusal(10107, ["NoWritesPerformed"]), "failed away"],
    ["overloaded, nothing written", refusal(462, ["SystemOverloadedError", "NoWritesPerformed"]), "failed away"],
    ["not allowed", refusal(13), "failed statement"],
    ["too large", refusal(10334), "failed statement"],
  ])("%s", async (_what, part, expected) => {
    const [outcome, reason] = expected.split(" ");
    for (const write of [one, many, remove, take]) {
      await connection.prepare(db => db.command({ ping: 1 }));
      proxy.rewrite = answersAs(answer => ({ ...answer, ...part }));
      await expect(write()).rejects.toMatchObject({ outcome, reason });
      proxy.rewrite = bytes => bytes;
    }
  });

  test("a duplicate is one by its index, unless what was written before it is not confirmed", async () => {
    proxy.rewrite = answersAs(answer => ({ ...answer, n: 0, ...duplicate }));
    await expect(one()).rejects.toMatchObject({ name: "DuplicateKeyError", constraint: "slug" });
    await expect(many()).rejects.toMatchObject({ name: "DuplicateKeyError", constraint: "slug" });
    proxy.rewrite = answersAs(answer => ({ ...answer, n: 0, ...duplicate, ...unconfirmed(64) }));
    await expect(one()).rejects.toMatchObject({ outcome: "unknown" });
    await expect(many()).rejects.toMatchObject({ outcome: "unknown" });
  });

  test.each([10107, 13435])(
    "not the primary (%d): one document is surely not written, of more some may be",
    async code => {
      const answered = async (answer: Document, write: () => Promise<unknown>) => {
        await connection.prepare(db => db.command({ ping: 1 }));
        proxy.rewrite = answersAs(own => ({ ...own, ...answer }));
        const error: unknown = await write().catch((reason: unknown) => reason);
        proxy.rewrite = bytes => bytes;
        const { outcome, reason } = error as StorageError;
        return `${outcome} ${reason}`;
      };
      for (const write of [one, oneOfGroup, take]) expect(await answered(refusal(code), write)).toBe("failed away");
      for (const write of [many, remove]) expect(await answered(refusal(code), write)).toBe("unknown away");
      const at = (index: number): Document => ({ n: index, writeErrors: [{ index, code, errmsg: "no" }] });
      expect(await answered(at(0), many)).toBe("failed away");
      expect(await answered(at(1), many)).toBe("unknown away");
    },
  );

  test("a group that was refused in its middle is unknown: what came before is stored", async () => {
    proxy.rewrite = answersAs(answer => ({
      ...answer,
      n: 1,
      writeErrors: [{ index: 1, code: 121, errmsg: "not valid" }],
    }));
    await expect(many()).rejects.toMatchObject({ outcome: "unknown", reason: "statement" });
  });

  test("a read that a server refuses or gives up has failed", async () => {
    for (const code of [1, 91, 11602, 10107]) {
      await connection.prepare(db => db.command({ ping: 1 }));
      proxy.rewrite = answersAs(() => refusal(code));
      await expect(read()).rejects.toMatchObject({ outcome: "failed" });
      proxy.rewrite = bytes => bytes;
    }
  });

  test("an error that is not the driver's is a defect and stays what it is", async () => {
    const defect = new RangeError("ours");
    await expect(connection.write(() => Promise.reject(defect))).rejects.toBe(defect);
  });
});
