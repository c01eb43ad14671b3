import { $, el } from "../dom.js";
import { answeredBy, dayOf, dayView, messageView, newView, toolsView } from "./message.js";

/** Pixels from the end that still count as the end; from the beginning at which older messages are read. */
const END = 60;
const START = 300;

/** The messages of the open room: kept at the end while one is there, kept in place while older ones come in. */
export function timelineView(chat, actions) {
  const scroller = $("#scroller");
  const list = $("#messages");
  const jump = $("#jump");
  let shown = new Map();
  let room = null;
  let atEnd = true;
  let seen = 0;
  let planned = 0;

  const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < END;
  const toEnd = () => {
    atEnd = true;
    scroller.scrollTop = scroller.scrollHeight;
  };
  chat.atEnd = () => atEnd;

  function render() {
    planned = 0;
    const changedRoom = room !== chat.open;
    if (changedRoom) {
      shown = new Map();
      list.replaceChildren();
      atEnd = true;
    } else atEnd = isAtEnd();
    room = chat.open;
    const anchor = atEnd ? null : firstVisible();
    const top = anchor?.getBoundingClientRect().top;
    const next = room ? entries(room) : [];
    const nodes = new Map(next.map(([key, now, make]) => [key, reuse(key, now) ?? { now, node: make() }]));
    for (const [key, { node }] of shown) if (nodes.get(key)?.node !== node) node.remove();
    let place = list.firstChild;
    for (const { node } of nodes.values()) {
      if (node === place) place = place.nextSibling;
      else list.insertBefore(node, place);
    }
    shown = nodes;
    $("#older").hidden = !room || !room.loading;
    list.classList.toggle("beginning", Boolean(room?.loaded && !room.hasBefore && room.messages.length === 0));
    const kept = anchor && [...nodes].find(([key]) => key === anchor.dataset.key)?.[1].node;
    if (kept) scroller.scrollTop += kept.getBoundingClientRect().top - top;
    else if (atEnd) toEnd();
    settleJump();
    if (room?.loaded && scroller.scrollTop < START) void chat.loadOlder(room);
  }

  const reuse = (key, now) => (shown.get(key)?.now === now ? shown.get(key) : undefined);

  /** `[key, what it depends on, make]` of everything to show, in order. */
  function entries({ messages, pending, dividerSeq, hasBefore }) {
    const result = [];
    const add = (key, now, make) => result.push([key, now, () => keyed(make(), key)]);
    let before = null;
    let marked = dividerSeq === null;
    const waiting = pending.map(item => ({ ...item, item, senderId: chat.me.id, first: false }));
    for (const message of [...messages, ...waiting]) {
      const day = dayOf(message.createdAt);
      const newDay = before ? dayOf(before.createdAt) !== day : !hasBefore || messages.length > 0;
      if (newDay) add(`day ${day}`, day, () => dayView(day));
      const isNew = !marked && message.seq > dividerSeq && message.senderId !== chat.me.id;
      if (isNew) add("new", "", newView);
      marked ||= isNew;
      const above = newDay || isNew ? null : before;
      const sender = [chat.people.name(message.senderId), chat.people.online(message.senderId)];
      const { senderId, text, deletedAt } = answeredBy(room, message) ?? {};
      const answered = [senderId, senderId && chat.people.name(senderId), text, deletedAt, hasBefore];
      const answers = message.replyTo || message.threadId ? answered : null;
      const now = JSON.stringify([message, above?.senderId, above?.createdAt, sender, answers]);
      add(message.clientId && message.senderId === chat.me.id ? `own ${message.clientId}` : message.id, now, () =>
        messageView(chat, room, message, above, actions),
      );
      before = message;
    }
    return result;
  }

  function keyed(node, key) {
    node.dataset.key = key;
    return node;
  }

  function firstVisible() {
    const { top } = scroller.getBoundingClientRect();
    return [...list.children].find(node => node.dataset.id && node.getBoundingClientRect().bottom > top);
  }

  function settleJump() {
    if (atEnd) seen = room?.lastSeq ?? 0;
    jump.hidden = atEnd;
    $("span", jump).textContent = room && room.lastSeq > seen ? "New messages" : "To the newest";
  }

  scroller.addEventListener("scroll", () => {
    atEnd = isAtEnd();
    settleJump();
    if (atEnd) chat.look();
    if (room?.loaded && scroller.scrollTop < START) void chat.loadOlder(room);
  });
  jump.addEventListener("click", toEnd);
  // The keyboard of a phone, a longer draft, an image: the end stays in view.
  new ResizeObserver(() => atEnd && toEnd()).observe(scroller);
  new ResizeObserver(() => atEnd && toEnd()).observe(list);

  function offer(node) {
    const message = node && room?.find(node.dataset.id);
    const there = $(".tools", list);
    if (there && there.parentNode === node) return;
    there?.remove();
    if (message && !message.deletedAt && room.member) node.append(toolsView(chat, message, actions));
  }
  for (const type of ["pointerover", "focusin", "click"])
    list.addEventListener(type, event => offer(event.target.closest(".message")));
  list.addEventListener("pointerleave", () => !list.contains(document.activeElement) && offer(null));

  const plan = () => (planned ||= setTimeout(render));
  chat.addEventListener("arrived", ({ detail }) => {
    if (detail.room !== chat.open || document.visibilityState !== "visible") return;
    $("#live").replaceChildren(el("p", {}, `${chat.people.name(detail.message.senderId)}: ${detail.message.text}`));
  });
  return { render: plan, toEnd };
}
