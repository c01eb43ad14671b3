import { $, el, icon, sizeOf } from "../dom.js";

/** Milliseconds between two words that we are typing. */
const TYPING = 3_000;

/** Where messages are written, files attached and own messages changed. Drafts are kept per room until the page goes. */
export function composerView(chat, actions) {
  const form = $("#composer");
  const text = $("#text");
  const picker = $("#picker");
  const uploads = $("#uploads");
  const drafts = new Map();
  let room = null;
  let editing = null;
  let typedAt = 0;

  const draft = () => drafts.get(room?.id) ?? { text: "", files: [] };

  function grow() {
    text.style.height = "auto";
    if (text.scrollHeight > 0) text.style.height = `${Math.min(text.scrollHeight, 200)}px`;
  }

  function set(value) {
    text.value = value;
    grow();
  }

  function edit(message) {
    editing = message;
    $("#editing").hidden = !message;
    form.classList.toggle("changing", Boolean(message));
    set(message ? message.text : draft().text);
    text.focus();
  }

  function typing(on) {
    if (!room?.member || (on && Date.now() - typedAt < TYPING) || (!on && typedAt === 0)) return;
    typedAt = on ? Date.now() : 0;
    chat.socket.tell({ t: "typing", room: room.id, on });
  }

  async function submit() {
    const value = text.value.trim();
    if (editing) {
      const { id, text: before } = editing;
      edit(null);
      if (value && value !== before) await actions.attempt(chat.change({ t: "edit", id, text: value }));
      return;
    }
    const { files } = draft();
    const ready = files.filter(file => file.done).map(file => file.done);
    if ((!value && ready.length === 0) || ready.length < files.length) return;
    drafts.delete(room.id);
    typing(false);
    set("");
    showFiles();
    actions.toEnd();
    chat.outbox.add(room, value, ready);
  }

  function add(list) {
    if (!room?.member || editing) return;
    const { files } = draft();
    drafts.set(room.id, { text: text.value, files });
    for (const file of list) {
      const entry = { name: file.name || "pasted.png", size: file.size, file };
      files.push(entry);
      void upload(entry, room);
    }
    text.focus();
  }

  async function upload(entry) {
    entry.problem = null;
    showFiles();
    const form = new FormData();
    form.append("file", entry.file, entry.name);
    try {
      entry.done = await chat.session.request("POST", "/api/files", { form });
    } catch (error) {
      entry.problem = error.message;
    }
    showFiles();
  }

  function showFiles() {
    const { files } = draft();
    const drop = entry => {
      files.splice(files.indexOf(entry), 1);
      showFiles();
    };
    uploads.replaceChildren(
      ...files.map(entry =>
        el(
          "li",
          { class: entry.problem ? "failed" : entry.done ? "" : "busy" },
          icon("file"),
          el("span", { class: "name" }, entry.name),
          el("small", {}, entry.problem ?? (entry.done ? sizeOf(entry.size) : "uploading …")),
          entry.problem && el("button", { type: "button", class: "link", onclick: () => upload(entry) }, "Try again"),
          el(
            "button",
            { type: "button", class: "icon-button", "aria-label": `Remove ${entry.name}`, onclick: () => drop(entry) },
            icon("close"),
          ),
        ),
      ),
    );
  }

  form.addEventListener("submit", event => {
    event.preventDefault();
    void submit();
  });
  form.elements.attach.addEventListener("click", () => picker.click());
  form.elements.cancel.addEventListener("click", () => edit(null));
  picker.addEventListener("change", () => {
    add(picker.files);
    picker.value = "";
  });
  text.addEventListener("input", () => {
    grow();
    if (editing) return;
    drafts.set(room.id, { ...draft(), text: text.value });
    typing(text.value !== "");
  });
  text.addEventListener("keydown", event => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void submit();
    } else if (event.key === "Escape" && editing) edit(null);
    else if (event.key === "ArrowUp" && text.value === "" && !editing) {
      const own = room.messages.findLast(
        ({ senderId, deletedAt, text }) => senderId === chat.me.id && !deletedAt && text,
      );
      if (own) edit(own);
      event.preventDefault();
    }
  });
  text.addEventListener("paste", event => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    add(event.clipboardData.files);
  });

  const area = $(".room");
  const drop = $("#drop");
  const carries = event => event.dataTransfer?.types.includes("Files") && room?.member;
  area.addEventListener("dragover", event => {
    if (!carries(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  for (const type of ["dragleave", "drop"])
    area.addEventListener(type, event =>
      type === "dragleave" && area.contains(event.relatedTarget) ? undefined : (drop.hidden = true),
    );
  area.addEventListener("drop", event => {
    if (!carries(event)) return;
    event.preventDefault();
    add(event.dataTransfer.files);
  });

  return {
    edit,
    render() {
      form.hidden = !chat.open?.member;
      if (room === chat.open) return;
      if (room) typing(false);
      room = chat.open;
      text.placeholder = room ? `Message ${room.kind === "channel" ? "#" : ""}${chat.people.title(room)}` : "Message";
      editing = null;
      $("#editing").hidden = true;
      form.classList.remove("changing");
      set(draft().text);
      showFiles();
      if (room?.member && matchMedia("(min-width: 700px) and (hover: hover)").matches) text.focus();
    },
  };
}
