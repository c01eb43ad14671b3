import type { Answer, Asked } from "../judge/history";
import type { Body } from "../support/rest";
import type { Journal, Who } from "./journal";
import { CLOSED, PATIENCE, record, refusedWith, UNANSWERED, type Outcome } from "./outcome";

export interface Credentials {
  username: string;
  password: string;
}

/** Milliseconds before its end at which a token is not used any more. */
const MARGIN = 5_000;

/** A session of a user over REST: keeps its tokens fresh and records what it asks for. */
export class Account {
  /** Of the user; empty until the first sign-in. */
  user = "";
  sid: string | null = null;
  private access = "";
  private refreshToken = "";
  private expiresAt = -Infinity;
  private renewing: Promise<boolean> | null = null;
  /** Why the last try to sign in did not work. */
  refusal = "";

  constructor(
    readonly client: string,
    /** Address of the REST door. */
    readonly door: string,
    private readonly credentials: Credentials,
    private readonly journal: Journal,
  ) {}

  get who(): Who {
    const { client, user, sid, door } = this;
    return { client, user, session: "rest", ...(sid !== null && { bearer: sid }), door };
  }

  /** A token that lives on for a while; null if none can be had now. */
  async token(): Promise<string | null> {
    if (performance.now() < this.expiresAt - MARGIN) return this.access;
    return (await this.renew()) ? this.access : null;
  }

  /** The token is not to be used again: it was refused. */
  spoil(): void {
    this.expiresAt = -Infinity;
  }

  /** A new token by refresh, or by a new session where that is over. False if neither can be had now. */
  renew(): Promise<boolean> {
    this.renewing ??= this.refreshed().finally(() => (this.renewing = null));
    return this.renewing;
  }

  /** Ends the session on the server. The tokens are kept in use, to see that they are refused. */
  revoke(): Promise<Outcome> {
    const { refreshToken } = this;
    return this.ask({ op: "revoke", who: this.user, sid: this.sid }, "POST", "/api/auth/logout", { refreshToken });
  }

  /** Registers the user. False if nobody answers. */
  register(email: string): Promise<boolean> {
    return this.signedIn(this.fetch("POST", "/api/auth/register", { ...this.credentials, email }, ""));
  }

  /** An operation of the history. */
  async ask(asked: Asked, method: string, path: string, body?: unknown, read = asIs): Promise<Outcome> {
    const token = await this.token();
    if (token === null) return refusedWith("UNAUTHENTICATED");
    const { who } = this;
    const id = this.journal.invoke(who, asked);
    const outcome = await this.fetch(method, path, body, token);
    const ended: Outcome = outcome.state === "ok" ? { state: "ok", body: read(outcome) } : outcome;
    record(this.journal, who, id, asked, ended);
    return ended;
  }

  /** An operation of several requests; null: it could not be done. */
  async observe(asked: Asked, work: () => Promise<Answer | null>): Promise<void> {
    const { who } = this;
    const id = this.journal.invoke(who, asked);
    const answer = await work();
    if (answer) this.journal.ok(who, id, asked, answer);
    else this.journal.ended(who, id, "info", "UNAVAILABLE");
  }

  /** Anything else. */
  async request(method: string, path: string, body?: unknown): Promise<Outcome> {
    const token = await this.token();
    return token === null ? refusedWith("UNAUTHENTICATED") : this.fetch(method, path, body, token);
  }

  private async refreshed(): Promise<boolean> {
    if (this.refreshToken !== "") {
      const { refreshToken, who } = this;
      this.refreshToken = "";
      const asked: Asked = { op: "refresh" };
      const id = this.journal.invoke(who, asked);
      const outcome = await this.fetch("POST", "/api/auth/refresh", { refreshToken }, "");
      record(this.journal, who, id, asked, outcome);
      if (this.keep(outcome)) return true;
      // Surely not used yet; in any other case the server may have given a new one for it.
      if (outcome.state === "fail" && outcome.code === "UNAVAILABLE") this.refreshToken = refreshToken;
      if (outcome.state !== "fail" || outcome.code !== "UNAUTHENTICATED") return false;
    }
    return this.signedIn(this.fetch("POST", "/api/auth/login", this.credentials, ""));
  }

  private async signedIn(asked: Promise<Outcome>): Promise<boolean> {
    return this.keep(await asked);
  }

  private keep(outcome: Outcome): boolean {
    if (outcome.state !== "ok") {
      this.refusal = outcome.code;
      return false;
    }
    const { user, accessToken, refreshToken, expiresIn } = outcome.body;
    this.user = user.id;
    this.access = accessToken;
    this.refreshToken = refreshToken;
    this.expiresAt = performance.now() + expiresIn * 1000;
    this.sid = JSON.parse(Buffer.from(accessToken.split(".")[1], "base64url").toString()).sid;
    return true;
  }

  private async fetch(method: string, path: string, body: unknown, token: string): Promise<Outcome & Status> {
    try {
      const response = await fetch(this.door + path, {
        method,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE),
      });
      const { status } = response;
      const text = await response.text();
      const json: Body = /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : null;
      if (status === 401) this.spoil();
      if (response.ok) return { state: "ok", body: json, status };
      return { ...refusedWith(json?.code ?? `HTTP_${status}`), status };
    } catch (error) {
      return lost(error);
    }
  }
}

/** HTTP status, where there was one. */
interface Status {
  status?: number;
}

const asIs = ({ body }: { body: Body } & Status): Body => body;

/** The answer of the route that sends, in the shape of the socket's. */
export const sentOf = ({ body, status }: { body: Body } & Status): Body => ({
  message: body,
  duplicate: status === 200,
});

function lost(error: unknown): Outcome {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  if (name === "TimeoutError") return UNANSWERED;
  // Nobody listens there: it was never sent.
  return cause?.code === "ECONNREFUSED" ? { state: "fail", code: "REFUSED" } : CLOSED;
}
