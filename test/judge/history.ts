/**
 * What a run has seen, line by line: every operation of a client when it began and when it was answered, and everything that
 * was delivered. One file for each run, one JSON object a line; `t` is milliseconds of one monotonic clock of the recording
 * process, so lines of all clients can be put in order.
 */

/** Who saw it. A client is one device; it has at most one socket at a time. */
export interface Line {
  t: number;
  client: string;
  /** Id of the user it is signed in as. */
  user: string;
  /** One socket, numbered within the run; `rest` for answers over REST. */
  session: string;
  /** Of what goes over REST: id of the session whose token was used. */
  bearer?: string;
  /** Address of the door that was used: the base URL of a gateway or of the origin. */
  door: string;
}

/** What was asked for. */
export type Asked =
  | { op: "send"; room: string; clientId: string; hash: string }
  | { op: "edit"; room: string; message: string; hash: string }
  | { op: "delete"; room: string; message: string }
  | { op: "react"; room: string; message: string; emoji: string; on: boolean }
  | { op: "history"; room: string; after?: number; before?: number; limit: number }
  /** Every message of the room, paged through by one client after all faults were healed. */
  | { op: "final"; room: string }
  /** Subscribes: with the hello or later. null: from the head. */
  | { op: "subscribe"; rooms: Record<string, number | null>; epoch: string | null; n: number | null }
  | { op: "unsubscribe"; rooms: string[] }
  | { op: "read" | "delivered"; room: string; seq: number }
  | { op: "unread" }
  | { op: "receipts"; room: string; message: string }
  | { op: "member"; room: string; who: string; change: "join" | "leave" | "remove" }
  | { op: "presence"; who: string[] }
  | { op: "refresh" }
  /** Of a user's session, or of all of them. `sid` is the session's id, `null` all. */
  | { op: "revoke"; who: string; sid: string | null };

/** A message as an answer or an event shows it; `hash` is of its text now, null once it is deleted. */
export interface Shown {
  id: string;
  offset: number;
  seq: number;
  sender: string;
  clientId: string | null;
  hash: string | null;
  deleted: boolean;
  edited: boolean;
}

export type RoomStart = { state: "live" | "replayed" | "reset"; offset: number } | { state: "denied"; code: string };

/** What came back with ok. */
export interface Answer {
  /** send, edit, delete, react */
  message?: Shown;
  duplicate?: boolean;
  /** history, final: in the order of the answer. */
  items?: Shown[];
  /** subscribe */
  rooms?: Record<string, RoomStart>;
  epoch?: string;
  n?: number;
  /** Of the user's own feed. */
  feed?: "live" | "replayed" | "reset";
  /** unread */
  unread?: { room: string; unread: number; lastSeq: number; readSeq: number }[];
  /** receipts: by user. */
  receipts?: Record<string, "sent" | "delivered" | "read">;
  /** presence: by user. */
  presence?: Record<string, string>;
}

/** Begun; `id` is unique in the history and names the operation in its end. */
export type Invoke = Line & { phase: "invoke"; id: number } & Asked;

/**
 * Ended. `ok`: it happened. `fail`: surely it did not. `info`: nobody knows; it may happen at any later time, and the client
 * asks again under the same clientId as another operation.
 */
export type Completion = Line &
  ({ phase: "ok"; id: number; answer: Answer } | { phase: "fail" | "info"; id: number; code: string });

/** Came without being asked for, over a socket. */
export type Observed = Line & { phase: "seen" } & (
    | {
        what: "event";
        room: string;
        offset: number;
        kind: "message" | "edit" | "delete" | "reaction" | "member" | "room" | "pin";
        message?: Shown;
        member?: { user: string; change: "join" | "leave" | "remove" | "ban" | "role" };
        reaction?: { message: string; user: string; emoji: string; on: boolean };
      }
    | { what: "reset"; room: string; offset: number }
    | { what: "unsub"; room: string; code: string }
    | { what: "read" | "delivered"; room: string; who: string; seq: number }
    | { what: "presence"; who: string; status: string }
    /** The user's own feed; of kind `reset` it goes on after `n`. */
    | { what: "user"; n: number; kind: string }
    | { what: "open"; sid: string | null }
    | { what: "close"; code: number }
  );

/** What the run itself did; client, session and door are empty. */
export type Staged = Line & { phase: "run" } & (
    | { what: "fault"; name: string; target: string; state: "begin" | "end" }
    /** Every fault is healed; what is read from here on is final. */
    | { what: "healed" }
    /** A store was put back from a backup. */
    | { what: "restored" }
    | { what: "seed"; seed: number; shape: "embedded" | "cluster"; faults: string[] }
    /** When the room was made, who is in it, and whether newcomers may read what was before. */
    | {
        what: "room";
        room: string;
        members: string[];
        open: boolean;
        /** Everybody who is signed in may read and subscribe, member or not; absent: only members may. */
        public?: boolean;
      }
  );

export type HistoryLine = Invoke | Completion | Observed | Staged;
