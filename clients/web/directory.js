/** Names asked for at the same time. */
const AT_ONCE = 4;
/** Users in one watch, as the server allows. */
const WATCH = 500;

/** Who the others are and who of them is there. */
export class Directory {
  #users = new Map();
  #online = new Set();
  #queue = [];
  #asking = 0;
  #watching = null;

  constructor(chat) {
    this.chat = chat;
    this.know(chat.me);
  }

  /** The name to show; "…" until it is known. */
  name(id) {
    const user = this.#users.get(id);
    return user?.displayName ?? user?.username ?? "…";
  }

  picture(id) {
    return this.#users.get(id)?.avatarUrl;
  }

  /** What a room is called; one without a name is called after the others in it. */
  title({ info }) {
    if (info.name) return info.name;
    const others = info.members.filter(id => id !== this.chat.me.id);
    return others.map(id => this.name(id)).join(", ") || "Just you";
  }

  online(id) {
    return id === this.chat.me.id ? this.chat.socket.open : this.#online.has(id);
  }

  know(user) {
    if (!this.#users.has(user.id)) this.#watching ??= setTimeout(() => this.watch(), 100);
    this.#users.set(user.id, user);
  }

  /** Finds out about users that are not known yet, and watches them. */
  ask(ids) {
    const fresh = [...new Set(ids)].filter(id => !this.#users.has(id));
    if (fresh.length === 0) return;
    this.#watching ??= setTimeout(() => this.watch(), 100);
    for (const id of fresh) this.#users.set(id, null);
    this.#queue.push(...fresh);
    while (this.#asking < AT_ONCE && this.#queue.length > 0) void this.#next();
  }

  async #next() {
    this.#asking++;
    for (let id; (id = this.#queue.shift()) !== undefined;) {
      try {
        this.know(await this.chat.session.request("GET", `/api/users/${id}`));
      } catch (error) {
        if (error.status === 404) this.know({ id, username: "(gone)" });
        else this.#users.delete(id);
      }
      this.chat.fire("people");
    }
    this.#asking--;
  }

  /** Tells the server whose coming and going we want to hear of: those met last. */
  watch() {
    this.#watching = null;
    this.chat.socket.tell({ t: "watch", users: [...this.#users.keys()].slice(-WATCH) });
  }

  changed(changes) {
    for (const { user, status } of changes) {
      if (status === "online") this.#online.add(user);
      else this.#online.delete(user);
    }
    this.chat.fire("people");
  }
}
