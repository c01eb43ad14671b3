import { el, problem } from "../dom.js";
import { explain } from "../form.js";

/** What the parts are made of. */

let made = 0;

/** A box with a heading, a sentence and room for what went wrong in it. */
export function section(title, lead, ...children) {
  const id = `section-${++made}`;
  return el(
    "section",
    { "aria-labelledby": id },
    el("h3", { id }, title),
    lead && el("p", { class: "muted" }, lead),
    el("p", { class: "problem", role: "alert", hidden: true }),
    children,
  );
}

/** Rows, or a sentence that there are none. */
export const rows = (label, items, none) =>
  items.length > 0 ? el("ul", { class: "rows", "aria-label": label }, items) : el("p", { class: "muted" }, none);

export const row = (title, about, ...ends) =>
  el(
    "li",
    {},
    el("div", {}, el("strong", {}, title), about && el("small", { class: "muted" }, about)),
    el("span", { class: "ends" }, ends),
  );

/** A button that does `work`; what goes wrong is said in its section. `label`: in full, for who hears it alone. */
export function action(text, label, work) {
  const button = el("button", { type: "button", class: "quiet", "aria-label": label, onclick: run }, text);
  async function run() {
    const place = button.closest("section");
    problem(place, null);
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      problem(place, explain(error));
    } finally {
      button.disabled = false;
    }
  }
  return button;
}

/** What is shown this once, to be copied. */
export function secret(label, text) {
  const shown = el("pre", { class: "secret", tabindex: "0", "aria-label": label }, text);
  const said = el("span", { class: "muted", role: "status" });
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    said.textContent = "Copied.";
  };
  const select = () => getSelection().selectAllChildren(shown);
  // Without TLS browsers let nobody write there.
  const way = navigator.clipboard ? copy : select;
  const button = el(
    "button",
    { type: "button", onclick: () => way().catch(select) },
    navigator.clipboard ? "Copy" : "Select",
  );
  return el("div", { class: "once" }, shown, el("div", { class: "buttons" }, button, said));
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
export const dateOf = when => day.format(new Date(when));
export const momentOf = when => moment.format(new Date(when));

/** Who has no password yet sets one by a link in a mail: what to say, and the way. */
export function passwordByMail(account) {
  const sent = el("span", { class: "muted", role: "status" });
  return section(
    "No password yet?",
    "Who signs in by another provider alone has none, and needs one for what is asked for it here.",
    action("Send me a mail to set one", null, async () => {
      await account.request("POST", "/api/auth/forgot-password", { email: account.me.email });
      sent.textContent = ` A mail is on its way to ${account.me.email}.`;
    }),
    sent,
  );
}
