import type { PublicError } from "../errors";
import type { Conversation, Identity, Metadata, SharedChannel, UserNote } from "../model";
import type { RoomRole } from "../permissions";
import type { MemberChange, RoomEvent, RoomHead } from "../room-bus";

/** What a client may ask a room's log to do. Checked by the writer of the room at the offset it gets. */
export type UserOperation =
  | {
      op: "send";
      text: string;
      clientId?: string;
      attachments?: string[];
      replyTo?: string;
      /** The message that the thread began with. */
      threadId?: string;
      metadata?: Metadata;
    }
  | { op: "edit"; id: string; text: string }
  | { op: "delete"; id: string }
  | { op: "react"; id: string; emoji: string; on: boolean }
  | { op: "pin"; id: string; on: boolean };

/**
 * What services write into a log, once per `changeId`: membership, settings and the end of its time into a room's, notes into
 * the log that has a user's id for its room and is his own feed.
 */
export type RoomOperation =
  /** `until`: when a ban or a mute ends by itself, RFC 3339. `muted`: of who comes and is muted still. */
  | {
      op: "member";
      changeId: string;
      user: string;
      change: MemberChange;
      role?: RoomRole;
      until?: string;
      muted?: true;
    }
  | { op: "room"; changeId: string; room: SharedChannel | Conversation }
  /** Empties a message whose time is over, where it is the last entry of its log and cannot leave. */
  | { op: "expire"; changeId: string; id: string }
  /** Empties a message whose sender is erased, and takes back how he reacted to others. */
  | { op: "erase"; changeId: string; id: string }
  | { op: "eraseReaction"; changeId: string; id: string; by: string; emoji: string }
  | { op: "user"; changeId: string; note: UserNote };

/** A message brought from elsewhere. `id` and `clientId` are made of its id there: bringing it again adds nothing. */
export interface ImportedMessage {
  id: string;
  sender: string;
  clientId: string;
  text: string;
  /** RFC 3339, like `editedAt`: as they were there. */
  createdAt: string;
  editedAt?: string;
  /** Left out where there is no such message in the room, like `threadId`. */
  replyTo?: string;
  /** The message that the thread began with. */
  threadId?: string;
  /** Users; they are shown, and nobody's count of mentions grows. */
  mentions?: string[];
  mentionsAll?: true;
  metadata?: Metadata;
}

/** What an operator's import writes into a room's log, for others: never what a client asked for. */
export type ImportOperation =
  | { op: "import"; message: ImportedMessage }
  | { op: "importDelete"; id: string; by: string; at: string }
  /** Once per `changeId`, as what follows: what was taken back here since does not come again. */
  | { op: "importReaction"; changeId: string; id: string; by: string; emoji: string }
  /** What the message said before. */
  | { op: "importVersion"; changeId: string; id: string; text: string; at: string }
  | { op: "importPin"; changeId: string; id: string; by: string; at: string };

export type AppendRequest =
  | { room: string; user: Identity; entry: UserOperation }
  | { room: string; user?: undefined; entry: RoomOperation | ImportOperation };

/** Where a call stands among those of its caller. */
export interface Turn {
  /** Chosen at random by a caller for one life of one writer. */
  line: string;
  /** Counts the calls of the line, from 1. */
  n: number;
  /** Calls of the line with entries for the same rooms that are not answered, the last 256 of them: they begin first. */
  after: number[];
}

export type AppendAnswer =
  | {
      ok: true;
      offset: number;
      seq: number;
      /** The Message as it is now, as JSON text (the entry's data for membership and settings). */
      data: string;
      duplicate?: true;
    }
  | { ok: false; error: PublicError };

export interface LogHead extends RoomHead {
  /** Entries below this offset have left the log. 1: nothing has. */
  floor: number;
}

export interface LogRange {
  /** In order of offset, without a hole, from `after` + 1. */
  events: RoomEvent[];
  /** More entries follow the last one. */
  more: boolean;
  head: LogHead;
}
