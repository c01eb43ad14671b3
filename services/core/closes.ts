/**
 * Every close code of the sockets, on one page. The range is the advice: 40xx come back and resume, 41xx come back with a
 * new token, 45xx do not come back. 1001, 1006 and 1012 count as 40xx.
 */
export const CLOSES = {
  GOING_AWAY: { code: 4001, reason: "going away" },
  TOO_SLOW: { code: 4008, reason: "too slow" },
  NO_PONG: { code: 4009, reason: "no answer to ping" },
  BUSY: { code: 4013, reason: "busy" },
  TOKEN_EXPIRED: { code: 4101, reason: "token bad or expired" },
  SESSION_REVOKED: { code: 4103, reason: "session revoked" },
  BAD_FRAME: { code: 4500, reason: "bad frame" },
  NO_HELLO: { code: 4501, reason: "no hello in time" },
  BANNED: { code: 4503, reason: "banned" },
  TOO_MANY: { code: 4504, reason: "too many connections" },
  VERSION: { code: 4505, reason: "version not supported" },
} as const satisfies Record<string, Close>;

export interface Close {
  code: number;
  reason: string;
}
