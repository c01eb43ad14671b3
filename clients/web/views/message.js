import { dayOf, el, icon, linked, sizeOf, timeOf } from "../dom.js";
import { portrait } from "./portrait.js";

export const EMOJI = ["👍", "❤️", "😂", "🎉", "👀", "🙏"];
/** Milliseconds within which messages of the same sender stand together. */
const TOGETHER = 5 * 60_000;
/** Types that the browser may show; everything else is only offered for download. */
const IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

/** The element of a message or of one on its way. `before` is the message above it. */
export function messageView(chat, room, message, before, actions) {
  const mine = message.senderId === chat.me.id;
  const name = chat.people.name(message.senderId);
  const together =
    before?.senderId === message.senderId &&
    !message.first &&
    Date.parse(message.createdAt) - Date.parse(before.createdAt) < TOGETHER;
  const mentioned = message.mentions?.includes(chat.me.id);
  const state = message.state;
  const classes = ["message", together && "together", mine && "mine", mentioned && "mentioned", state].filter(Boolean);
  const time = el(
    "time",
    { datetime: message.createdAt, title: new Date(message.createdAt).toLocaleString() },
    timeOf(message.createdAt, together),
  );
  const node = el(
    "li",
    { class: classes.join(" "), "data-id": message.id, tabindex: message.id && !message.deletedAt ? 0 : null },
    together ? time : portrait(chat, message.senderId, name, chat.people.online(message.senderId)),
    el(
      "div",
      { class: "content" },
      !together && el("p", { class: "by" }, el("strong", {}, name), time),
      !message.deletedAt && answeredView(chat, room, message),
      message.deletedAt
        ? el("p", { class: "text muted" }, "This message was deleted.")
        : message.text !== "" &&
            el(
              "p",
              { class: "text" },
              linked(message.text),
              message.editedAt && el("small", { title: new Date(message.editedAt).toLocaleString() }, " (edited)"),
            ),
      message.attachments.map(attachment => attachmentView(chat, attachment)),
      message.reactions?.length > 0 &&
        el(
          "div",
          { class: "reactions" },
          message.reactions.map(reaction => reactionView(chat, message, reaction, actions)),
        ),
      state === "failed" &&
        el(
          "p",
          { class: "failed-note" },
          `Not sent: ${message.reason} `,
          el("button", { class: "link", onclick: () => chat.outbox.retry(room, message.item) }, "Try again"),
          " ",
          el("button", { class: "link", onclick: () => chat.outbox.discard(room, message.item) }, "Discard"),
        ),
    ),
  );
  return node;
}

/** The message that one answers, directly or in a thread. */
export const answeredBy = (room, { replyTo, threadId }) => room.find(replyTo ?? threadId);

/** Characters shown of what a message answers. */
const EXCERPT = 80;

/** What a message answers, as far as it is here: it may be from before one's coming, or too old to be kept. */
function answeredView(chat, room, message) {
  if (!message.replyTo && !message.threadId) return null;
  const answered = answeredBy(room, message);
  const what = answered
    ? `${chat.people.name(answered.senderId)}: ${excerptOf(answered)}`
    : room.hasBefore
      ? "an earlier message"
      : "a message that is not available";
  return el("p", { class: "answered muted" }, `In reply to ${what}`);
}

const excerptOf = ({ text, deletedAt, attachments: [file] }) =>
  deletedAt
    ? "a deleted message"
    : text.length > EXCERPT
      ? `${text.slice(0, EXCERPT)} …`
      : text || (file?.name ?? "a file");

export const dayView = day => el("li", { class: "day" }, el("span", {}, day));
export const newView = () => el("li", { class: "day new" }, el("span", {}, "New"));
export { dayOf };

function reactionView(chat, message, { emoji, count, users }, actions) {
  const own = users.includes(chat.me.id);
  const who = users.map(id => chat.people.name(id)).join(", ");
  return el(
    "button",
    {
      class: own ? "reaction own" : "reaction",
      "aria-pressed": `${own}`,
      "aria-label": `${emoji} ${count}`,
      title: who,
      onclick: () => actions.react(message, emoji, !own),
    },
    emoji,
    el("span", {}, `${count}`),
  );
}

/** What can be done with a message: put into the one that is pointed at or focused. */
export function toolsView(chat, message, actions) {
  const tool = (label, name, onclick) =>
    el("button", { class: "icon-button", "aria-label": label, title: label, onclick }, icon(name));
  const own = message.senderId === chat.me.id;
  const runs = ["owner", "moderator"].includes(chat.open.info.role) || chat.me.roles.some(role => role !== "User");
  return el(
    "div",
    { class: "tools", role: "group", "aria-label": "What to do with this message" },
    EMOJI.map(emoji =>
      el(
        "button",
        {
          class: "icon-button emoji",
          "aria-label": `React with ${emoji}`,
          onclick: () => actions.react(message, emoji, !reactedBy(message, emoji, chat.me.id)),
        },
        emoji,
      ),
    ),
    own && message.text !== "" && tool("Edit", "edit", () => actions.edit(message)),
    (own || runs) && tool("Delete", "trash", () => actions.remove(message)),
  );
}

const reactedBy = ({ reactions = [] }, emoji, user) =>
  reactions.find(reaction => reaction.emoji === emoji)?.users.includes(user) ?? false;

/** Images are shown, the rest is offered; both are fetched with the token, which never stands in an address. */
function attachmentView(chat, { url, mimeType, size, name = "file" }) {
  const save = async () => {
    const link = el("a", { href: await blobOf(chat, url), download: name });
    link.click();
  };
  if (!IMAGES.has(mimeType))
    return el(
      "button",
      { class: "file", onclick: () => void save().catch(() => undefined) },
      icon("file"),
      el("span", {}, name),
      el("small", { class: "muted" }, sizeOf(size)),
    );
  const image = el("img", { alt: name, title: name });
  const frame = el("button", { class: "image", "aria-label": `Save ${name}`, onclick: () => void save() }, image);
  blobOf(chat, url).then(
    address => (image.src = address),
    () => frame.replaceChildren(`${name} cannot be shown right now.`),
  );
  return frame;
}

function blobOf(chat, url) {
  let address = chat.blobs.get(url);
  if (!address) {
    address = chat.session.request("GET", url, { blob: true }).then(blob => URL.createObjectURL(blob));
    chat.blobs.set(url, address);
    address.catch(() => chat.blobs.delete(url));
  }
  return address;
}
