import type { AppendAnswer, AppendRequest } from "../../../services/core/contract";
import { RoomLog } from "../../../services/messages/room-log";
import type { Bug } from "../bug";
import { wrapEmbeddedStore } from "../seams";

const GIVE_WAY = `DELETE FROM entries WHERE room = ? AND offset BETWEEN ? AND ?`;

/** Every room has two writers, each of which knows nothing of the other; a user's requests stay with one of them. */
export function writeByTwo(): void {
  const { append } = RoomLog.prototype;
  const twins = new WeakMap<RoomLog, RoomLog>();
  RoomLog.prototype.append = async function (this: RoomLog, requests: readonly AppendRequest[]) {
    const twin = twins.get(this) ?? new RoomLog(this["with_"]);
    twins.set(this, twin);
    const byTwin = requests.map(({ user }) => user !== undefined && parseInt(user.id.slice(-1), 16) % 2 === 1);
    const part = (log: RoomLog, ofTwin: boolean): Promise<AppendAnswer[]> =>
      append.call(
        log,
        requests.filter((_, index) => byTwin[index] === ofTwin),
      );
    const [own, other] = await Promise.all([part(this, false), part(twin, true)]);
    return byTwin.map(ofTwin => (ofTwin ? other : own).shift() as AppendAnswer);
  };
}

export const sharedOffset: Bug = {
  name: "shared-offset",
  what: "two writers of a room may give the same offset, and the last one's entry stays",
  shapes: ["embedded"],
  faults: [],
  rules: ["H1", "H3"],
  plant() {
    writeByTwo();
    wrapEmbeddedStore((store, database) => ({
      async append(room, entries) {
        const [first, last] = [entries[0], entries.at(-1)];
        if (first && last) await database.write([[{ sql: GIVE_WAY, params: [room, first.offset, last.offset] }]]);
        return store.append(room, entries);
      },
    }));
  },
};
