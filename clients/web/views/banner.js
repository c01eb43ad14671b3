import { $, el } from "../dom.js";

/** Milliseconds without a connection before a word is said about it. */
const PATIENCE = 2_000;

/** Shows a sentence above everything; null hides it. */
export function say(text, ...more) {
  const banner = $("#banner");
  banner.hidden = text === null;
  if (text !== null && banner.dataset.text !== text) banner.replaceChildren(el("span", {}, text), ...more);
  banner.dataset.text = text;
}

/** Tells about a connection that is away, and when it is tried again. Returns what ends it. */
export function connectionBanner(chat) {
  let awaySince = Date.now();

  function render() {
    const { open, state, retryAt, reason } = chat.socket;
    if (open) {
      awaySince = null;
      return say(null);
    }
    awaySince ??= Date.now();
    if (state === "stopped") {
      if (reason)
        say(
          `The server ended the connection: ${reason}.`,
          el("button", { class: "link", onclick: () => location.reload() }, "Reload"),
        );
      return;
    }
    if (Date.now() - awaySince < PATIENCE) return;
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    if (state === "waiting" && seconds > 0) {
      say(
        `No connection. Trying again in ${seconds} s.`,
        el("button", { class: "link", onclick: chat.socket.hurry }, "Try now"),
      );
    } else say("No connection. Trying now …");
  }

  const timer = setInterval(render, 500);
  chat.addEventListener("connection", render);
  return () => clearInterval(timer);
}
