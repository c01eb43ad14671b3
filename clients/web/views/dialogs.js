import { $, avatar, el, icon, problem } from "../dom.js";
import { create } from "../membership.js";

/** Milliseconds after the last key before a search is made. */
const PAUSE = 200;

/** A dialog whose main button does `work(form)`; it closes when that went well and says what did not. Esc closes. */
function dialogOf(id, work) {
  const dialog = $(id);
  const form = $("form", dialog);
  $("[value=cancel]", form).onclick = () => dialog.close();
  form.onsubmit = async event => {
    event.preventDefault();
    problem(form, null);
    const button = $(".primary", form);
    button.disabled = true;
    try {
      await work(form);
      dialog.close();
    } catch (error) {
      problem(form, error.message);
    } finally {
      button.disabled = false;
    }
  };
  return {
    form,
    open() {
      form.reset();
      problem(form, null);
      dialog.showModal();
    },
  };
}

export function channelDialog(chat, show) {
  const dialog = dialogOf("#channel-dialog", async ({ elements: { name, topic, isPrivate } }) => {
    const about = topic.value.trim();
    const body = { name: name.value.trim(), isPrivate: isPrivate.checked, ...(about && { topic: about }) };
    show(await create(chat, "/api/channels", body));
  });
  $("#new-channel").onclick = () => dialog.open();
}

export function deleteDialog(chat) {
  let message;
  const dialog = dialogOf("#delete-dialog", () => chat.change({ t: "delete", id: message.id }));
  return chosen => {
    message = chosen;
    $("blockquote", dialog.form).textContent = chosen.text || chosen.attachments.map(({ name }) => name).join(", ");
    dialog.open();
  };
}

/** One person: the direct conversation with them; several: a group. */
export function peopleDialog(chat, show) {
  const chosen = new Map();
  const dialog = dialogOf("#people-dialog", async ({ elements: { name } }) => {
    const members = [...chosen.keys()];
    const group = members.length > 1;
    const title = name.value.trim();
    show(
      await create(chat, "/api/conversations", {
        type: group ? "group" : "direct",
        members,
        ...(group && title && { name: title }),
      }),
    );
  });
  const { form } = dialog;
  const { search } = form.elements;
  const found = $(".found", form);
  let timer;
  let asked = 0;

  const person = (user, label, mark, onclick) =>
    el(
      "li",
      {},
      el(
        "button",
        { type: "button", "aria-label": `${label} ${user.username}`, onclick },
        avatar(user.username),
        el("span", { class: "name" }, user.displayName ?? user.username),
        icon(mark),
      ),
    );

  function renderChosen() {
    const remove = user => {
      chosen.delete(user.id);
      renderChosen();
    };
    $(".chosen", form).replaceChildren(
      ...[...chosen.values()].map(user => person(user, "Remove", "close", () => remove(user))),
    );
    $("[data-group]", form).hidden = chosen.size < 2;
    $(".primary", form).disabled = chosen.size === 0;
    $(".primary", form).textContent = chosen.size > 1 ? "Start group" : "Start";
  }

  function choose(user) {
    chosen.set(user.id, user);
    chat.people.know(user);
    search.value = "";
    renderChosen();
    void look();
    search.focus();
  }

  async function look() {
    const mine = ++asked;
    const query = new URLSearchParams({ pageSize: "8", ...(search.value.trim() && { search: search.value.trim() }) });
    const { items } = await chat.session.request("GET", `/api/users?${query}`);
    if (mine !== asked) return;
    const others = items.filter(user => user.id !== chat.me.id && !chosen.has(user.id));
    found.replaceChildren(
      ...(others.length > 0
        ? others.map(user => person(user, "Choose", "plus", () => choose(user)))
        : [el("li", { class: "muted" }, "Nobody else by that name.")]),
    );
  }

  const lookNow = () => void look().catch(error => problem(form, error.message));
  search.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(lookNow, PAUSE);
  };
  search.onkeydown = event => {
    const first = $("button", found);
    if (event.key !== "Enter" || !search.value || !first) return;
    event.preventDefault();
    first.click();
  };
  $("#new-direct").onclick = () => {
    chosen.clear();
    dialog.open();
    renderChosen();
    lookNow();
  };
}
