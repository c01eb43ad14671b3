import { marksOf } from "../../../services/messages/marks";
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
    wrapEmbeddedStore((store, database) => ({
      async append(room, entries) {
        const result = await store.append(room, entries);
        const notes = entries.slice(0, result.stored).filter(({ kind }) => kind === "user");
        for (const { room: of, user, read, delivered } of [...marksOf(room, notes).values()].flat())
          await database.write([[{ sql: OVERWRITE, params: [of, user, read ?? null, delivered ?? null] }]]);
        return result;
      },
    }));
    // Nor is looked at what it was before.
    wrapStore(() => ({ markOf: async () => ({ read: 0, delivered: 0, private: 0, again: 0 }) }));
    const { advance } = MongoMarks.prototype;
    MongoMarks.prototype.advance = async function (this: MongoMarks, marks) {
      await advance.call(this, marks);
      for (const { room, user, read, delivered, own } of marks) {
        if (own !== undefined) continue;
        const said = { ...(read !== undefined && { read }), ...(delivered !== undefined && { delivered }) };
        await this["connection"].write(db =>
          db.collection<{ _id: string }>("marks").updateOne({ _id: `${room}:${user}` }, { $set: { ...said, room } }),
        );
      }
    };
  },
};
