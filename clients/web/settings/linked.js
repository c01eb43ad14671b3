import { el } from "../dom.js";
import { CODE_IF_ASKED, formOf, PASSWORD } from "../form.js";
import { action, dateOf, row, rows, section } from "./parts.js";

/** Accounts elsewhere that one signs in with, too. */
export async function linked(account, back) {
  const { providers: known } = account;
  const { items } = await account.request("GET", "/api/auth/identities");
  const nameOf = id => known.find(provider => provider.id === id)?.name ?? id;
  const list = items.map(({ id, provider, name, linkedAt }) =>
    row(
      nameOf(provider),
      [name, `since ${dateOf(linkedAt)}`].filter(Boolean).join(" · "),
      action("Unlink", `Unlink ${nameOf(provider)}`, async () => {
        await account.request("DELETE", `/api/auth/identities/${id}`);
        await account.again();
      }),
    ),
  );
  const link = formOf({
    button: "Go there",
    fields: [
      { name: "provider", label: "Provider", options: known.map(({ id, name }) => [id, name]) },
      { ...PASSWORD, required: false, hint: "Who has none leaves it out." },
      CODE_IF_ASKED,
    ],
    async work({ provider, password, code }) {
      const body = { returnTo: location.pathname, ...(password && { password }), ...(code && { code }) };
      const { url } = await account.request("POST", `/api/auth/oidc/${encodeURIComponent(provider)}/link`, body);
      location.assign(url);
    },
  });
  return [
    back?.problem && el("p", { class: "problem", role: "alert" }, back.problem),
    back?.linked && el("p", { class: "notice", role: "status" }, "It is linked: you can sign in with it from now on."),
    section("Linked accounts", null, rows("Linked accounts", list, "There are none.")),
    section("Link another", "You sign in there once, and come back.", link),
  ].filter(Boolean);
}
