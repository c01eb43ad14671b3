/** An open socket of a gateway, as operators see it. */
export interface GatewaySocket {
  /** Null before hello. */
  user: string | null;
  username: string | null;
  session: string | null;
  /** Milliseconds since 1970. */
  since: number;
  rooms: number;
  address: string;
  /** Bytes the client has not taken yet. */
  backlog: number;
}

/** A room as one gateway follows it. */
export interface GatewayRoom {
  subscribers: number;
  /** Subscribers that are still catching up. */
  replaying: number;
  /** The last entry passed on here; null while the head is not known. */
  offset: number | null;
  /** Entries are known of that were not passed on yet. */
  behind: boolean;
  /** Entries that wait behind a gap. */
  waiting: number;
  /** Entries in memory, and their bytes. */
  ring: { entries: number; bytes: number };
  /** When the last entry was passed on, milliseconds since 1970; null if that is not in memory. */
  tookAt: number | null;
}

/** A session over plain HTTP and the id of its user. */
export interface HttpSession {
  session: string;
  user: string;
}

export interface HttpTaken {
  texts: string[];
  /** By which whoever took them says that they went on their way; 0: there is nothing to say. */
  number: number;
  open: boolean;
}

export interface HttpPut {
  answer: string | null;
}

export interface WsGatewayActions {
  /** One gateway, for operators: to be called with its node. Its open sockets, or those of one user, the oldest first. */
  "ws-gateway.sockets": {
    params: { user?: string; limit?: number };
    returns: { total: number; items: GatewaySocket[] };
  };
  /** Null if nobody there follows the room. */
  "ws-gateway.room": { params: { room: string }; returns: GatewayRoom | null };
  /** Whether that gateway has passed an entry on, and when (milliseconds since 1970; null: not in memory any more). */
  "ws-gateway.took": { params: { room: string; offset: number }; returns: { took: boolean; at: number | null } };
  /** Closes the sockets of a session there. */
  "ws-gateway.kick": { params: { session: string }; returns: { closed: number } };
  /** Takes no new sockets any more; sends those that are open elsewhere, spread over `seconds`. */
  "ws-gateway.drain": { params: { seconds?: number }; returns: { sockets: number; seconds: number } };
  /**
   * A session over plain HTTP that this node holds, asked for by the node a request came to; null: there is none, or it is
   * somebody else's. What it has for its client, after at most `wait` milliseconds; `open`: there may be more.
   */
  "ws-gateway.httpTake": { params: HttpSession & { wait: number }; returns: HttpTaken | null };
  /** The texts of that number went on their way to the client. */
  "ws-gateway.httpReceived": { params: HttpSession & { number: number }; returns: null };
  /** What its client says. `answer`: the answer to a single call, where the wire gives it at once. */
  "ws-gateway.httpPut": { params: HttpSession & { text: string }; returns: HttpPut | null };
  "ws-gateway.httpEnd": { params: HttpSession; returns: { ended: boolean } };
}
