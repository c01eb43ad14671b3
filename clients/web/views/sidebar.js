import { $, el, icon } from "../dom.js";
import { portrait } from "./portrait.js";

/** Rooms with what is unread in them, and who we are. */
export function sidebarView(chat, actions) {
  const rows = new Map();
  const lists = { channels: $("#channels"), direct: $("#direct"), others: $("#others") };
  $("#new-channel").hidden = !chat.session.may("channels.create");
  $("#new-direct").hidden = !chat.session.may("conversations.create");

  const out = el(
    "button",
    { class: "icon-button", "aria-label": "Sign out", title: "Sign out", onclick: actions.signOut },
    icon("out"),
  );
  const settings = el(
    "a",
    { class: "icon-button", href: "settings.html", "aria-label": "Your account", title: "Your account" },
    icon("person"),
  );
  const name = chat.me.displayName ?? chat.me.username;
  // The links stay where they are, also while they are being pressed.
  $("#me").replaceChildren(portrait(chat, chat.me.id, name, false), el("span", { class: "name" }, name), settings, out);

  function render() {
    const rooms = [...chat.rooms.values()];
    const named = rooms.map(room => ({ room, title: chat.people.title(room) }));
    const byTitle = named.toSorted((a, b) => a.title.localeCompare(b.title));
    const recent = named.toSorted((a, b) => (latest(a.room) < latest(b.room) ? 1 : -1));
    fill(
      lists.channels,
      byTitle.filter(({ room }) => room.kind === "channel" && room.member),
    );
    fill(
      lists.direct,
      recent.filter(({ room }) => room.kind !== "channel"),
    );
    fill(
      lists.others,
      byTitle.filter(({ room }) => room.kind === "channel" && !room.member),
    );
    $("#others-section").hidden = lists.others.childElementCount === 0;
    for (const id of rows.keys()) if (!chat.rooms.has(id)) rows.delete(id);
    $("#me .avatar").replaceWith(portrait(chat, chat.me.id, name, chat.socket.open));
    const unread = rooms.reduce((sum, room) => sum + (room.kind === "channel" ? room.mentions : room.unread), 0);
    const some = rooms.some(room => room.unread > 0);
    document.title = `${unread ? `(${unread}) ` : some ? "• " : ""}${chat.open ? `${chat.people.title(chat.open)} · ` : ""}Rookery`;
  }

  /** Rows stay the same elements, so that focus stays where it is. */
  function fill(list, entries) {
    const nodes = entries.map(({ room, title }) => row(room, title));
    if (nodes.length !== list.children.length || nodes.some((node, at) => list.children[at] !== node))
      list.replaceChildren(...nodes);
  }

  function row(room, title) {
    const item = rows.get(room.id) ?? el("li");
    rows.set(room.id, item);
    const shown = room === chat.open;
    const partner = room.kind === "direct" && room.info.members.find(id => id !== chat.me.id);
    const online = partner ? chat.people.online(partner) : undefined;
    const now = JSON.stringify([title, shown, room.unread, room.mentions, online, room.member, room.info.isPrivate]);
    if (item.dataset.now === now) return item;
    const focused = item.contains(document.activeElement);
    item.dataset.now = now;
    const count = room.unread > 99 ? "99+" : room.unread;
    item.replaceChildren(
      el(
        "a",
        { href: `#${room.id}`, class: room.unread ? "unread" : null, "aria-current": shown ? "page" : null },
        room.kind === "channel"
          ? icon(room.info.isPrivate ? "lock" : "hash")
          : room.kind === "group"
            ? icon("people")
            : portrait(chat, partner, title, online),
        el("span", { class: "name" }, title),
        room.unread > 0 &&
          el("span", { class: room.mentions ? "badge mention" : "badge", "aria-label": `${count} unread` }, `${count}`),
      ),
      room.member
        ? ""
        : el("button", { class: "quiet", "aria-label": `Join ${title}`, onclick: () => actions.join(room) }, "Join"),
    );
    if (focused) $("a", item).focus();
    return item;
  }

  let planned = false;
  return {
    render() {
      if (planned) return;
      planned = true;
      setTimeout(() => {
        planned = false;
        render();
      });
    },
  };
}

const latest = room => room.lastAt || room.info.createdAt;
