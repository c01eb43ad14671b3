import { $, el, problem } from "./dom.js";

/** Forms whose fields say what is wrong with them, and that ask for a code of the second factor when the server does. */

/** Better words than a server has that knows no form. */
const WORDS = {
  username: "3 to 32 letters (a-z), digits, dots, dashes or underscores.",
  email: "This is no e-mail address.",
  password: "At least 8 characters, at most 72 bytes.",
  newPassword: "At least 8 characters, at most 72 bytes.",
};
let made = 0;

/** A field under its label. `options`: pairs of value and text to choose from; `rows`: several lines. */
export function field({ name, label, hint, options, rows, value, hidden, ...rest }) {
  const id = `field-${++made}`;
  const hintId = hint && `${id}-hint`;
  const attributes = { id, name, rows, "aria-describedby": hintId, ...rest };
  const input = options
    ? el(
        "select",
        attributes,
        options.map(([key, text]) => el("option", { value: key }, text)),
      )
    : el(rows ? "textarea" : "input", attributes);
  // Of an input what the form goes back to, too.
  if (value !== undefined) input[options ? "value" : "defaultValue"] = value;
  return el(
    "div",
    { class: "field", "data-field": name, hidden },
    el("label", { for: id }, label),
    input,
    hint && el("small", { class: "muted", id: hintId }, hint),
  );
}

export const check = ({ name, label, ...rest }) =>
  el("label", { class: "check" }, el("input", { type: "checkbox", name, ...rest }), label);

/** Fields that are in many forms. */
export const PASSWORD = {
  name: "password",
  label: "Your password",
  type: "password",
  autocomplete: "current-password",
  required: true,
  maxlength: 1000,
};
export const NEW_PASSWORD = {
  name: "password",
  label: "New password",
  hint: "At least 8 characters.",
  type: "password",
  autocomplete: "new-password",
  required: true,
  minlength: 8,
  maxlength: 72,
};
export const CODE = {
  name: "code",
  label: "Code",
  hint: "From your app, or a recovery code.",
  autocomplete: "one-time-code",
  autocapitalize: "none",
  spellcheck: "false",
  required: true,
  maxlength: 100,
};
/** One that shows when a code is asked for. */
export const CODE_IF_ASKED = { ...CODE, hidden: true };

/** A form that does `work(values, form)` when it is sent; a text it resolves to is shown as what was done. */
export function formOf({ fields, button, danger, work }) {
  const form = el(
    "form",
    { class: "form", novalidate: true },
    el("p", { class: "problem", role: "alert", hidden: true }),
    fields.map(entry => (entry instanceof Node ? entry : field(entry))),
    el(
      "div",
      { class: "buttons" },
      el("button", { type: "submit", class: danger ? "primary danger" : "primary" }, button),
      el("p", { class: "said", role: "status" }),
    ),
  );
  return onSubmit(form, work);
}

/** The same of a form that is there. */
export function onSubmit(form, work) {
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const button = $("button[type=submit]", form);
    clear(form);
    if (button.disabled || !complete(form)) return;
    button.disabled = true;
    try {
      const said = await work(valuesOf(form), form);
      for (const input of form.querySelectorAll("[type=password], [name=code]")) input.value = "";
      ask(form, false);
      if (typeof said === "string") $(".said", form).textContent = said;
    } catch (error) {
      complain(form, error);
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

const shown = form => [...form.elements].filter(input => input.name && !input.closest("[hidden]"));

/** What the fields say that can be seen; without spaces around it, but for passwords. */
export function valuesOf(form) {
  const values = shown(form).map(({ name, type, value, checked }) => [
    name,
    type === "checkbox" ? checked : type === "password" ? value : value.trim(),
  ]);
  return Object.fromEntries(values);
}

/** Whether nothing is missing or ill-formed; else it says so. */
function complete(form) {
  const wrong = shown(form).filter(input => input.willValidate && !input.checkValidity());
  for (const input of wrong) mark(form, input.name, input.value ? input.validationMessage : "This is needed.");
  wrong[0]?.focus();
  return wrong.length === 0;
}

/** Puts next to each field what the server says of it, and above them the rest. */
export function complain(form, error) {
  const errors = error.errors ?? [];
  const codeAsked = errors.some(({ field: name }) => name === "code" || name === "totp");
  if (codeAsked && ask(form, true)) return;
  const placed = errors.filter(({ field: name, message }) => mark(form, name === "totp" ? "code" : name, message));
  if (placed.length === 0 || placed.length < errors.length) problem(form, explain(error));
  const first = $("[aria-invalid]", form);
  first?.focus();
  if (first?.type === "text" || first?.type === "password") first.select();
}

/** Shows or hides the field of a code. Whether that changed anything. */
function ask(form, asked) {
  const place = $("[data-field=code][data-asked], [data-field=code][hidden]", form);
  if (!place || place.hidden === !asked) return false;
  place.hidden = !asked;
  place.toggleAttribute("data-asked", asked);
  if (asked) $("input", place).focus();
  return true;
}

/** Whether there is such a field to be seen. */
function mark(form, name, message) {
  const place = form.querySelector(`[data-field="${CSS.escape(name)}"]:not([hidden])`);
  if (!place) return false;
  const input = $("input, select, textarea", place);
  const text = /^The '|fails to match/.test(message) ? (WORDS[name] ?? "This does not go.") : message;
  const id = `wrong-${++made}`;
  place.append(el("small", { class: "wrong", id }, text));
  input.setAttribute("aria-invalid", "true");
  input.dataset.hint ??= input.getAttribute("aria-describedby") ?? "";
  input.setAttribute("aria-describedby", `${id} ${input.dataset.hint}`.trim());
  return true;
}

export function clear(form) {
  problem(form, null);
  const said = $(".said", form);
  if (said) said.textContent = "";
  for (const text of form.querySelectorAll(".wrong")) text.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    if (input.dataset.hint) input.setAttribute("aria-describedby", input.dataset.hint);
    else input.removeAttribute("aria-describedby");
  }
}

export const explain = ({ status, message, retryAfterMs }) =>
  status === 429 ? `Too many tries. Wait ${Math.ceil((retryAfterMs || 60_000) / 1000)} s and try again.` : message;
