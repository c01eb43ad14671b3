/** REST with a session: the access token is renewed before it ends and never leaves memory. */

/**
 * What survives a reload: the refresh token and the name, nothing else. Without the first every reload would ask for the
 * password. Script of others cannot read it: the page runs its own files only and shows text as text.
 */
const KEY = "rookery.session";
/** Milliseconds before its end at which a token is renewed; milliseconds a request may take. */
const EARLY = 5_000;
const TIMEOUT = 15_000;

export class ApiError extends Error {
  constructor({ code, status, detail, title, errors, retryAfterMs }) {
    super(detail ?? title ?? code);
    Object.assign(this, { code, status, errors, retryAfterMs });
  }
}

export class Session {
  user = null;
  #access = null;
  #claims = {};
  #endsAt = 0;
  #refreshing = null;

  /**
   * @param ended called once when the session is over, with why (null: by oneself)
   * @param taken called with every new token
   */
  constructor(ended, taken = () => undefined) {
    this.ended = ended;
    this.taken = taken;
    addEventListener("storage", event => {
      if (event.key === KEY && event.newValue === null && this.user) this.#end(null);
    });
  }

  stored() {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  }

  /** Signs in or registers. Resolves to the answer: it may ask for verification, and bring nobody in. Throws ApiError. */
  async open(way, body) {
    const answer = await ask(way, body);
    if (answer.accessToken) this.#take(answer);
    return answer;
  }

  async close() {
    const { refreshToken } = this.stored() ?? {};
    await send("POST", "/api/auth/logout", { body: { refreshToken } }).catch(() => undefined);
    this.#end(null);
  }

  /** A token that is good for some seconds at least. Throws ApiError; UNAVAILABLE means try again. */
  async token() {
    if (!this.#access || Date.now() > this.#endsAt - EARLY) await this.refresh();
    return this.#access;
  }

  /** Whether the server lets us do that, as far as the last token says. */
  may(permission) {
    return this.#claims.permissions.includes(permission);
  }

  /** Whether the server lets us do nothing but set up a second factor. */
  get mustSetUp() {
    return this.#claims.scope === "second-factor";
  }

  /** The next `token()` is a new one. */
  distrust() {
    this.#access = null;
  }

  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** The answer's JSON, null without a body, or a Blob. Throws ApiError. */
  async request(method, path, options = {}) {
    for (let tries = 0; ; tries++) {
      try {
        return await send(method, path, { ...options, token: await this.token() });
      } catch (error) {
        if (error.status !== 401 || tries > 0 || !this.stored()) throw error;
        this.distrust();
      }
    }
  }

  /** All items of a list, a few pages at most. */
  async pages(path) {
    const all = [];
    for (let page = 1; page <= 5; page++) {
      const { items, total } = await this.request("GET", `${path}?page=${page}&pageSize=100`);
      all.push(...items);
      if (all.length >= total || items.length === 0) break;
    }
    return all;
  }

  async #refresh() {
    // One at a time over all tabs: a refresh token that is used twice ends the session.
    const alone = navigator.locks ? work => navigator.locks.request(KEY, work) : work => work();
    await alone(async () => {
      for (;;) {
        const before = this.stored()?.refreshToken;
        if (!before) throw new ApiError({ code: "UNAUTHENTICATED", status: 401 });
        try {
          return this.#take(await send("POST", "/api/auth/refresh", { body: { refreshToken: before } }));
        } catch (error) {
          if (error.status !== 401) throw error;
          if (this.stored() && this.stored().refreshToken !== before) continue;
          this.#end("You were signed out. Sign in again to go on.");
          throw error;
        }
      }
    });
  }

  #take({ user, accessToken, refreshToken, expiresIn }) {
    this.user = user;
    this.#access = accessToken;
    this.#claims = claimsOf(accessToken);
    this.#endsAt = Date.now() + expiresIn * 1000;
    localStorage.setItem(KEY, JSON.stringify({ refreshToken, username: user.username }));
    this.taken();
  }

  #end(why) {
    localStorage.removeItem(KEY);
    this.#access = null;
    this.user = null;
    this.ended(why);
  }
}

/** What a token says; only the server can tell whether it is true. */
const claimsOf = token => JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));

/** What needs nobody signed in: below /api/auth. Throws ApiError. */
export const ask = (path, body) => send("POST", `/api/auth/${path}`, { body });

/** Who may come in here: `registration`, `guests`. Null if it cannot be told. */
export const offers = () =>
  send("GET", "/api/config", {}).then(
    ({ signIn }) => signIn,
    () => null,
  );

async function send(method, path, { token, body, form, blob }) {
  const headers = {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(body && { "Content-Type": "application/json" }),
  };
  let response;
  try {
    const signal = form || blob ? undefined : AbortSignal.timeout(TIMEOUT);
    response = await fetch(path, { method, headers, body: form ?? (body && JSON.stringify(body)), signal });
  } catch {
    throw new ApiError({
      code: "UNAVAILABLE",
      status: 503,
      detail: "The server cannot be reached. Try again in a moment.",
    });
  }
  if (response.ok && blob) return response.blob();
  // Of 204 and 202 there is no body.
  if (response.ok) return response.headers.get("Content-Type") ? response.json() : null;
  const retryAfterMs = Number(response.headers.get("Retry-After") ?? 0) * 1000;
  const said = await response
    .json()
    .catch(() => ({ code: "UNAVAILABLE", detail: "The server cannot answer right now." }));
  throw new ApiError({ ...said, status: response.status, retryAfterMs });
}
