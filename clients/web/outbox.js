/** Refusals after which the same send, with the same clientId, is tried again by itself. */
const AGAIN = new Set(["UNAVAILABLE", "UNKNOWN_OUTCOME", "RATE_LIMITED"]);
/** Milliseconds until then, unless the server said. */
const PAUSE = 500;

const newClientId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");

/** What was written and is not yet in the log: goes out in order, survives lost connections, and arrives once. */
export class Outbox {
  constructor(chat) {
    this.chat = chat;
  }

  get empty() {
    return ![...this.chat.rooms.values()].some(room => room.pending.length > 0);
  }

  /** The clientId is made here, once, and stays the same however often the message has to be sent. */
  add(room, text, attachments) {
    const createdAt = new Date().toISOString();
    room.pending.push({ clientId: newClientId(), text, attachments, createdAt, state: "waiting" });
    this.#go(room);
  }

  retry(room, item) {
    item.state = "waiting";
    this.#go(room);
  }

  discard(room, item) {
    room.pending = room.pending.filter(other => other !== item);
    this.chat.fire("room");
  }

  /** Sends again what had no answer when the connection was lost. */
  resume() {
    for (const room of this.chat.rooms.values()) void this.#pump(room);
  }

  #go(room) {
    this.chat.fire("room");
    void this.#pump(room);
  }

  /** One at a time: a message never overtakes the one written before it. */
  async #pump(room) {
    if (room.pumping) return;
    room.pumping = true;
    const { socket } = this.chat;
    for (let item; socket.open && (item = room.pending.find(({ state }) => state === "waiting"));) {
      const { clientId, text } = item;
      const attachments = item.attachments.map(({ id }) => id);
      try {
        const { message } = await socket.request({ t: "send", room: room.id, clientId, text, attachments });
        item.state = "stored";
        // Where its event came before; otherwise the event puts it where it belongs.
        if (room.offset !== null && message.offset <= room.offset) room.settle(message);
      } catch (error) {
        if (AGAIN.has(error.code)) await new Promise(resolve => setTimeout(resolve, error.retryAfterMs || PAUSE));
        else Object.assign(item, { state: "failed", reason: error.message });
      }
      this.chat.fire("room");
    }
    room.pumping = false;
  }
}
