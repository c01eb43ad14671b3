/** Every close code of the sockets, on one page. The range is the advice. */
export const CLOSES = {
  GOING_AWAY: { code: 4001, reason: "going away" },
  TOO_SLOW: { code: 4008, reason: "too slow" },
  NO_PONG: { code: 4009, reason: "no answer to ping" },
  BUSY: { code: 4013, reason: "busy" },
  FLOOD: { code: 4029, reason: "too many frames" },
  TOKEN_EXPIRED: { code: 4101, reason: "token bad or expired" },
  SESSION_REVOKED: { code: 4103, reason: "session revoked" },
  BAD_FRAME: { code: 4500, reason: "bad frame" },
  NO_HELLO: { code: 4501, reason: "no hello in time" },
  BANNED: { code: 4503, reason: "banned" },
  TOO_MANY: { code: 4504, reason: "too many connections" },
  VERSION: { code: 4505, reason: "version not supported" },
} as const satisfies Record<string, Close>;

/** Whether one so closed is not to come back by himself: he would be sent away again. */
export const isFinal = ({ code }: Close): boolean => code === CLOSES.SESSION_REVOKED.code || code >= 4500;

export interface Close {
  code: number;
  reason: string;
}

/** What a client should do, by the first two digits of the code. */
export const ADVICE = { 40: "come back and resume", 41: "come back with a new token", 45: "do not come back" } as const;

/** Codes of WebSocket itself that count as 40xx: leaving, a connection that broke, a restart. */
export const AS_40 = [1001, 1006, 1012] as const;
