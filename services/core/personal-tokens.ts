import type { Clock } from "./clock";
import { hasCode, RookeryError } from "./errors";
import { digest } from "./ids";
import type { AccessTokens, VerifiedToken } from "./tokens";

/** How a token of a program begins, so that it is known at sight: in a header, in a leak, in a log. */
export const PERSONAL_TOKEN = "rkp_";

export const isPersonalToken = (text: string): boolean => text.startsWith(PERSONAL_TOKEN);

/** Tokens that a door remembers, and questions to their owner that may be under way. */
const KNOWN = 10_000;
const ASKED = 64;
/** Longer than any of them. */
const MAX_LENGTH = 200;
/** Share of an access token's life after which the next is asked for. */
const FRESH = 0.9;

export interface PersonalTokenDoor {
  /** Asks auth for an access token. Throws UNAUTHENTICATED if there is none for it. */
  exchange(token: string): Promise<{ accessToken: string }>;
  tokens: Pick<AccessTokens, "verify">;
  /** Whether the revocation log refuses it: then it is asked for anew. */
  refuses(token: VerifiedToken): boolean;
  clock: Clock;
}

/**
 * What a door knows of tokens of programs: each is exchanged for an access token, which is judged like any other and kept for
 * as long as it holds. So a revocation is as quick here as there, and a busy program costs one question in ten minutes.
 */
export class PersonalTokenCache {
  /** By the digest of what was shown; the one used longest ago first. */
  private readonly known = new Map<string, { token: VerifiedToken; until: number }>();
  private readonly asked = new Map<string, Promise<VerifiedToken>>();

  constructor(private readonly with_: PersonalTokenDoor) {}

  /** What it amounts to, if that is known here and holds. */
  get(text: string): VerifiedToken | null {
    const key = digest(text);
    const known = this.known.get(key);
    if (!known) return null;
    this.known.delete(key);
    const { clock, refuses } = this.with_;
    if (known.until <= clock.now() || refuses(known.token)) return null;
    this.known.set(key, known);
    return known.token;
  }

  /** Throws UNAUTHENTICATED, or UNAVAILABLE if it cannot be judged now. */
  async resolve(text: string): Promise<VerifiedToken> {
    const token = this.get(text);
    if (token) return token;
    if (text.length > MAX_LENGTH) throw new RookeryError("UNAUTHENTICATED", "No valid token.");
    const key = digest(text);
    const under = this.asked.get(key);
    if (under) return under;
    if (this.asked.size >= ASKED) throw new RookeryError("UNAVAILABLE", "Too many new tokens at once.");
    const asking = this.ask(key, text).finally(() => this.asked.delete(key));
    this.asked.set(key, asking);
    return asking;
  }

  private async ask(key: string, text: string): Promise<VerifiedToken> {
    const { exchange, tokens, clock } = this.with_;
    const { accessToken } = await exchange(text).catch((error: unknown) => {
      throw hasCode(error, "UNAUTHENTICATED")
        ? error
        : new RookeryError("UNAVAILABLE", "Tokens cannot be checked now.");
    });
    const token = tokens.verify(accessToken);
    const now = clock.now();
    this.known.set(key, { token, until: now + (token.expiresAt - now) * FRESH });
    for (const oldest of this.known.keys()) {
      if (this.known.size <= KNOWN) break;
      this.known.delete(oldest);
    }
    return token;
  }
}
