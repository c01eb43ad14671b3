import { el } from "../dom.js";
import { check, formOf } from "../form.js";
import { action, dateOf, row, rows, secret, section } from "./parts.js";

const SCOPES = {
  "messages:read": "read messages",
  "messages:write": "send, edit, react, mark as read",
  "rooms:read": "see rooms and their members",
  "rooms:write": "make, change, join and leave rooms",
  "users:read": "see people and whether they are there",
  "users:write": "change your profile, friends and preferences",
  files: "read and upload files",
  admin: "what you may as a moderator or administrator",
  introspect: "ask what other tokens amount to",
};

/** Personal access tokens: programs that act as oneself. */
export async function tokens(account) {
  const { items } = await account.request("GET", "/api/auth/tokens");
  const made = el("div", { "aria-live": "polite" });
  const list = el("div");
  const render = now => {
    const entries = now.map(({ id, name, scopes, expiresAt, lastUsedAt }) =>
      row(
        name,
        `${scopes.join(", ")} · until ${dateOf(expiresAt)} · ${lastUsedAt ? `last used ${dateOf(lastUsedAt)}` : "never used"}`,
        action("Remove", `Remove ${name}`, async () => {
          await account.request("DELETE", `/api/auth/tokens/${id}`);
          await account.again();
        }),
      ),
    );
    list.replaceChildren(rows("Tokens", entries, "There are none."));
  };
  render(items);
  const form = formOf({
    button: "Make a token",
    fields: [
      { name: "name", label: "What it is for", required: true, maxlength: 100, autocomplete: "off" },
      el(
        "fieldset",
        {},
        el("legend", {}, "It may"),
        Object.entries(SCOPES).map(([name, label]) => check({ name, label })),
      ),
      { name: "days", label: "Days it lives", type: "number", min: 1, max: 3650, value: 90, required: true },
    ],
    async work({ name, days, ...chosen }) {
      const scopes = Object.keys(SCOPES).filter(scope => chosen[scope]);
      if (scopes.length === 0) throw new Error("Choose something that it may.");
      const body = { name, scopes, expiresInDays: Number(days) };
      const { token } = await account.request("POST", "/api/auth/tokens", body);
      made.replaceChildren(
        el("p", { class: "notice" }, "Here it is. Copy it now: it is not shown again."),
        secret(`The token ${name}`, token),
      );
      form.reset();
      made.scrollIntoView({ block: "nearest" });
      render((await account.request("GET", "/api/auth/tokens")).items);
    },
  });
  return [
    section("Tokens", "A program that has one acts as you, within what it may. Remove what you do not know.", list),
    section("New token", null, form, made),
  ];
}
