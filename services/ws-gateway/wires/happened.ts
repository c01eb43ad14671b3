import type { Message } from "../../core/model";
import type { PresenceChange } from "../../core/contract";
import type { Happened, Heard } from "./wire";

/** The objects of one native frame, which may be several. */
export const framesOf = (text: string | Uint8Array): Heard[] => {
  const all = typeof text === "string" ? text : Buffer.from(text).toString("utf8");
  return all.split("\n").map(line => JSON.parse(line) as Heard);
};

/**
 * What a native frame means to clients of the other wires; most mean nothing to them.
 * @param direct the two people of a direct room, else undefined
 */
export function happenedIn(frame: Heard, direct: readonly string[] | undefined): Happened[] {
  const channelId = frame["room"] as string;
  switch (frame.t) {
    case "event":
      return entry(channelId, frame["kind"] as string, frame["data"], direct);
    case "typing":
      return [{ name: "typing", channelId, userId: frame["user"] as string, isTyping: frame["on"] as boolean }];
    case "presence":
      return (frame["changes"] as PresenceChange[]).map(({ user, status }) => ({
        name: "presence",
        userId: user,
        status,
      }));
    default:
      return [];
  }
}

function entry(channelId: string, kind: string, data: unknown, direct: readonly string[] | undefined): Happened[] {
  switch (kind) {
    case "message": {
      if (!direct) return [{ name: "message", channelId, message: data }];
      const { senderId } = data as Message;
      const targetUserId = direct.find(id => id !== senderId) ?? senderId;
      return [{ name: "private-message", targetUserId, message: data }];
    }
    case "edit":
      return [{ name: "message-updated", channelId, message: data }];
    case "delete":
      return [{ name: "message-deleted", channelId, message: data }];
    case "reaction":
      return [{ name: "reaction", channelId, reaction: data as object }];
    default:
      return [];
  }
}
