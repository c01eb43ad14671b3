import { $ } from "../dom.js";
import { join, leave } from "../membership.js";
import { say } from "./banner.js";
import { composerView } from "./composer.js";
import { channelDialog, deleteDialog, peopleDialog } from "./dialogs.js";
import { sidebarView } from "./sidebar.js";
import { timelineView } from "./timeline.js";

/** Milliseconds a refusal stays on the screen. */
const NOTICE = 5_000;

/** Everything a signed-in person sees. The open room stands in the address, so that back leads back. Returns what ends it. */
export function workspace(chat) {
  const view = $("#chat").cloneNode(true);
  $("#chat").replaceWith(view);
  const ending = new AbortController();
  const once = { signal: ending.signal };
  const go = id => (location.hash = id ?? "");

  /** Says what was refused, and goes on. */
  const attempt = work =>
    work.catch(error => {
      say(error.message);
      setTimeout(() => chat.socket.open && say(null), NOTICE);
    });
  const remove = deleteDialog(chat);
  const actions = {
    attempt,
    remove,
    edit: message => composer.edit(message),
    react: (message, emoji, on) => attempt(chat.change({ t: "react", id: message.id, emoji, on })),
    join: room => attempt(join(chat, room).then(() => go(room.id))),
    signOut: () => chat.session.close(),
    toEnd: () => timeline.toEnd(),
  };
  const sidebar = sidebarView(chat, actions);
  const timeline = timelineView(chat, actions);
  const composer = composerView(chat, actions);
  const show = () => go(chat.open?.id);
  channelDialog(chat, show);
  peopleDialog(chat, show);

  function head() {
    const room = chat.open;
    view.classList.toggle("in-room", Boolean(room));
    $("#room-title").textContent = room ? `${room.kind === "channel" ? "#" : ""}${chat.people.title(room)}` : "";
    $("#room-about").textContent = room ? about(chat, room) : "Choose a room";
    $("#leave").hidden = !room?.member || room.kind === "direct";
    $("#join-bar").hidden = !room || room.member;
    if (room && !room.member) $("#join-bar span").textContent = `You are reading #${room.info.name}. Join to write.`;
    const names = [...(room?.typing.keys() ?? [])].map(id => chat.people.name(id));
    $("#typing").textContent =
      names.length === 0 ? "" : `${names.slice(0, 3).join(", ")} ${names.length > 1 ? "are" : "is"} typing …`;
  }

  function renderRooms() {
    head();
    sidebar.render();
    composer.render();
  }

  function route() {
    const id = location.hash.slice(1);
    if (chat.rooms.has(id)) return chat.open?.id === id || chat.show(id);
    const wide = matchMedia("(min-width: 700px)").matches;
    const rooms = [...chat.rooms.values()];
    const first = wide && (rooms.find(room => room.member) ?? rooms[0]);
    if (first) history.replaceState(null, "", `#${first.id}`);
    chat.show(first ? first.id : null);
  }

  chat.addEventListener("rooms", () => {
    if (!chat.open && chat.rooms.has(location.hash.slice(1) || firstOf(chat))) route();
    renderRooms();
  });
  chat.addEventListener("room", () => {
    head();
    composer.render();
    timeline.render();
  });
  chat.addEventListener("people", () => {
    renderRooms();
    timeline.render();
  });
  chat.addEventListener("connection", () => sidebar.render());
  $("#back").onclick = () => go(null);
  $("#leave").onclick = () => attempt(leave(chat, chat.open));
  $("#join-bar button").onclick = () => attempt(join(chat, chat.open));
  addEventListener("hashchange", route, once);
  document.addEventListener("visibilitychange", () => chat.look(), once);
  addEventListener("beforeunload", event => !chat.outbox.empty && event.preventDefault(), once);
  renderRooms();
  return () => {
    ending.abort();
    history.replaceState(null, "", location.pathname);
    $("#messages").replaceChildren();
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  };
}

/** Where to go when nothing was chosen: only on wide screens, elsewhere the list is the beginning. */
const firstOf = chat => (matchMedia("(min-width: 700px)").matches ? chat.rooms.keys().next().value : undefined);

function about(chat, room) {
  if (room.kind === "direct") {
    const other = room.info.members.find(id => id !== chat.me.id);
    return other && chat.people.online(other) ? "online" : "offline";
  }
  const count = room.info.memberCount ?? room.info.members.length;
  const people = `${count} ${count === 1 ? "member" : "members"}`;
  return room.info.topic ? `${people} · ${room.info.topic}` : people;
}
