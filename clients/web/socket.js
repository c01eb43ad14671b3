import { ApiError } from "./session.js";

/** Milliseconds: an answer, a connection with its welcome, silence until we ask, silence until we give up. */
const ANSWER = 10_000;
const CONNECT = 15_000;
const QUIET = 25_000;
const DEAD = 40_000;
/** Milliseconds a connection must hold before its end counts as a first failure. */
const STABLE = 5_000;
const BACKOFF = { from: 300, to: 30_000 };

/**
 * A native WebSocket that comes back: 40xx and lost connections with full jitter or when the server said, 41xx with a
 * new token, 45xx never.
 */
export class Socket {
  /** `connecting`, `open`, `waiting` (until `retryAt`) or `stopped` (for `reason`). */
  state = "stopped";
  retryAt = 0;
  reason = "";
  #socket = null;
  #waiting = new Map();
  #next = 1;
  #failures = 0;
  #heardAt = 0;
  #openedAt = 0;
  #backAt = 0;
  #timers = [];

  /**
   * @param with_ `session`, `hello()` the rest of a hello frame, `frame(frame)` for every frame that is not an answer,
   * for `welcome`, and for an `ok` that names rooms (each before anything that follows it), `changed()`
   */
  constructor(with_) {
    this.with_ = with_;
  }

  get open() {
    return this.state === "open";
  }

  start() {
    this.#timers = [setInterval(() => this.#watch(), 5_000)];
    addEventListener("online", this.hurry);
    void this.#connect();
  }

  stop() {
    removeEventListener("online", this.hurry);
    clearInterval(this.#timers[0]);
    this.#drop(1000);
    this.#set("stopped");
  }

  /** Ends the wait for the next attempt. */
  hurry = () => {
    if (this.state === "waiting") void this.#connect();
  };

  /** The answer to a frame. Rejects with ApiError: UNAVAILABLE was never sent, UNKNOWN_OUTCOME was sent and not answered. */
  request(frame) {
    if (!this.open) return Promise.reject(new ApiError({ code: "UNAVAILABLE", detail: "There is no connection." }));
    return this.#ask(frame);
  }

  /** For frames whose answer nobody needs; lost while there is no connection. */
  tell(frame) {
    if (this.open) this.#socket.send(JSON.stringify(frame));
  }

  async #connect() {
    clearTimeout(this.#timers[1]);
    this.#set("connecting");
    let token;
    try {
      token = await this.with_.session.token();
    } catch (error) {
      if (error.status === 401) return this.stop();
      return this.#again();
    }
    if (this.state !== "connecting" || this.#socket) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`, "rookery.v1");
    this.#socket = socket;
    this.#timers[1] = setTimeout(() => this.#lost(socket, 1006, ""), CONNECT);
    this.#openedAt = Date.now();
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      this.#heardAt = Date.now();
      for (const line of data.split("\n")) if (line) this.#frame(JSON.parse(line));
    };
    // A refused hello is followed by a close, which says what to do.
    socket.onopen = () => this.#ask({ t: "hello", token, ...this.with_.hello() }).catch(() => undefined);
  }

  #ask(frame) {
    const i = this.#next++;
    this.#socket.send(JSON.stringify({ ...frame, i }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#answer(i, { t: "err", code: "UNKNOWN_OUTCOME", detail: "No answer came." }),
        ANSWER,
      );
      this.#waiting.set(i, { resolve, reject, timer });
    });
  }

  #answer(i, frame) {
    const waiting = this.#waiting.get(i);
    this.#waiting.delete(i);
    clearTimeout(waiting?.timer);
    if (frame.t === "err") waiting?.reject(new ApiError(frame));
    else waiting?.resolve(frame);
  }

  #frame(frame) {
    if (frame.t === "welcome") {
      clearTimeout(this.#timers[1]);
      this.#backAt = 0;
      this.#set("open");
    }
    if (frame.t === "expiring") this.#timers.push(setTimeout(() => this.#renew(), frame.inMs / 2));
    else if (frame.t === "reconnect") {
      this.#backAt = Date.now() + frame.afterMs;
      const socket = this.#socket;
      setTimeout(() => this.#lost(socket, 4001, ""), frame.afterMs);
    } else if (!["ok", "err", "pong"].includes(frame.t) || frame.rooms) this.with_.frame(frame);
    if (frame.i !== undefined) this.#answer(frame.i, frame);
  }

  /** A new token on the same socket, before the old one ends. */
  async #renew() {
    try {
      await this.with_.session.refresh();
      await this.request({ t: "auth", token: await this.with_.session.token() });
    } catch {
      // The socket then ends with 4101, and the next one brings a new token.
    }
  }

  #watch() {
    const silence = Date.now() - this.#heardAt;
    if (!this.open) return;
    if (silence > DEAD) this.#lost(this.#socket, 1006, "");
    else if (silence > QUIET) this.tell({ t: "ping" });
  }

  #lost(socket, code, reason) {
    if (this.#socket !== socket) return;
    if (this.open && Date.now() - this.#openedAt > STABLE) this.#failures = 0;
    this.#drop(1000);
    if (code >= 4100 && code < 4200) this.with_.session.distrust();
    if (code >= 4500 && code < 4600) {
      this.reason = reason || `closed with ${code}`;
      return this.#set("stopped");
    }
    this.#again();
  }

  #again() {
    const most = Math.min(BACKOFF.to, BACKOFF.from * 2 ** ++this.#failures);
    const random = Date.now() + BACKOFF.from + Math.random() * (most - BACKOFF.from);
    this.retryAt = this.#backAt > Date.now() ? this.#backAt : random;
    this.#timers[1] = setTimeout(() => this.#connect(), this.retryAt - Date.now());
    this.#set("waiting");
  }

  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    for (const timer of this.#timers.splice(1)) clearTimeout(timer);
    socket?.close(code);
    for (const i of [...this.#waiting.keys()])
      this.#answer(i, { t: "err", code: "UNKNOWN_OUTCOME", detail: "The connection was lost." });
  }

  #set(state) {
    this.state = state;
    this.with_.changed();
  }
}
