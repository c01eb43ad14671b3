import { MongoConnection } from "../../../../mixins/mongo/connection";
import { systemClock } from "../../../../services/core/clock";
import { LIMITS } from "../../../../services/core/limits";
import type { Identity } from "../../../../services/core/model";
import { MemoryRoomBus } from "../../../../services/core/room-bus";
import { MongoMessageStore } from "../../../../services/messages/message.store.mongo";
import { RoomLog } from "../../../../services/messages/room-log";

/** Edits one message for ever, one edit after the other, and prints the number of each after its acknowledgement. */
async function main(url: string, room: string, id: string, user: string, from: number): Promise<void> {
  const log = new RoomLog({
    store: await MongoMessageStore.open(await MongoConnection.open(url)),
    bus: new MemoryRoomBus(),
    clock: systemClock,
    limits: LIMITS,
    access: async () => ({ room, role: "member", visibleFrom: 0 }),
    rules: async () => ({ kind: "channel", mode: "open", slowMode: 0 }),
    held: async () => false,
    online: async () => [],
    attach: async () => [],
    named: async () => [],
    throttle: () => 0,
    report: () => undefined,
  });
  const author: Identity = { id: user, username: "author", roles: [], permissions: [], sid: user };
  for (let n = from; ; n++) {
    const [answer] = await log.append([{ room, user: author, entry: { op: "edit", id, text: `version ${n}` } }]);
    console.log(answer?.ok ? `acked ${n}` : `refused ${JSON.stringify(answer)}`);
  }
}

const [url, room, id, user, from] = process.argv.slice(2) as [string, string, string, string, string];
void main(url, room, id, user, Number(from));
