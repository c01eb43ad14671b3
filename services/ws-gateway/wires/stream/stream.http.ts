import { invalidField } from "../../../core/errors";
import type { Reply } from "../../engine";
import { problem } from "../../engine.http";
import { eventStream } from "../http/event-stream";
import type { HttpWire } from "../http/http-door";
import type { Wire } from "../wire";

/** GET: a stream of events from the rooms of the query. POST: one frame, answered by its ok or err. */
export const streamHttp =
  (wire: Wire): HttpWire =>
  async request => {
    const { method, path, query, token, address, sessions, identify, refusal, body } = request;
    if (path !== "") return problem("NOT_FOUND");
    const { id: user } = identify().identity;
    if (method === "POST") {
      const put = await sessions.put(query.get("session") ?? "", user, await body());
      return put ? json(put.answer ?? "{}") : problem("NOT_FOUND", "There is no such session.");
    }
    if (method !== "GET") return problem("NOT_FOUND");
    const rooms = roomsIn(query.get("rooms") ?? "");
    const refused = refusal();
    if (refused) return refused;
    const id = sessions.reserve({ wire, user, token, address });
    sessions.begin(id, JSON.stringify(rooms));
    return eventStream(request, id, user, texts =>
      texts.length > 0 ? texts.flatMap(text => text.split("\n")).map(frame => `data: ${frame}\n\n`) : [":\n\n"],
    );
  };

/** `ROOM:OFFSET,ROOM,...`; without an offset from the head. Throws INVALID. */
function roomsIn(text: string): Record<string, number | null> {
  const parts = text.split(",").filter(part => part !== "");
  return Object.fromEntries(
    parts.map(part => {
      const [room = "", offset] = part.split(":");
      if (room === "" || room.length > 200 || (offset !== undefined && !/^\d{1,15}$/.test(offset)))
        throw invalidField("rooms", "Give ROOM:OFFSET, separated by commas.");
      return [room, offset === undefined ? null : Number(offset)];
    }),
  );
}

const json = (body: string): Reply => ({ status: 200, headers: { "Content-Type": "application/json" }, body });
