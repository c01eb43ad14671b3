import { MongoMarks } from "../../../services/messages/message.marks.mongo";
import type { Bug } from "../bug";
import { wrapEmbeddedStore, wrapStore } from "../seams";

const OVERWRITE = `INSERT INTO marks (room, user, read, delivered) VALUES (?1, ?2, COALESCE(?3, 0), COALESCE(?4, 0))
  ON CONFLICT (room, user) DO UPDATE SET read = COALESCE(?3, read), delivered = COALESCE(?4, delivered)`;

export const receiptOverwritten: Bug = {
  name: "receipt-overwritten",
  what: "a mark is set to what was said last, also backward",
  shapes: ["embedded", "cluster"],
  faults: [],
  rules: ["H11"],
  plant() {
    wrapEmbeddedStore((_store, database) => ({
      async mark(room, user, { read, delivered }) {
        await database.write([[{ sql: OVERWRITE, params: [room, user, read ?? null, delivered ?? null] }]]);
        return true;
      },
    }));
    // Nor is looked at what it was before.
    wrapStore(() => ({ markOf: async () => ({ read: 0, delivered: 0 }) }));
    MongoMarks.prototype.move = async function (this: MongoMarks, { room, user, read, delivered }) {
      // 0: nothing was said of it.
      const said = { ...(read > 0 && { read }), ...(delivered > 0 && { delivered }) };
      const unsaid = { ...(read === 0 && { read }), ...(delivered === 0 && { delivered }) };
      await this["connection"].write(db =>
        db
          .collection<{ _id: string }>("marks")
          .updateOne(
            { _id: `${room}:${user}` },
            { $set: said, $setOnInsert: { room, user, ...unsaid } },
            { upsert: true },
          ),
      );
      return true;
    };
  },
};
