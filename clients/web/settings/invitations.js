import { el } from "../dom.js";
import { formOf } from "../form.js";
import { action, dateOf, row, rows, secret, section } from "./parts.js";

/** Letting others in. */
export async function invitations(account) {
  const list = el("div");
  const made = el("div", { "aria-live": "polite" });
  async function render() {
    const { items } = await account.request("GET", "/api/invitations");
    const entries = items.map(({ id, email, uses, used, expiresAt }) =>
      row(
        email ?? `For ${uses === 1 ? "one" : uses}`,
        `${used} of ${uses} used · until ${dateOf(expiresAt)}`,
        action("Withdraw", `Withdraw the invitation ${email ?? id}`, async () => {
          await account.request("DELETE", `/api/invitations/${id}`);
          await render();
        }),
      ),
    );
    list.replaceChildren(rows("Invitations", entries, "None is open."));
  }
  const form = formOf({
    button: "Invite",
    fields: [
      {
        name: "email",
        label: "E-mail (optional)",
        hint: "It gets the link by mail, and holds for this address alone.",
        type: "email",
        maxlength: 254,
        autocomplete: "off",
      },
      { name: "uses", label: "For how many", type: "number", min: 1, max: 1000, value: 1, required: true },
      { name: "days", label: "Days it holds", type: "number", min: 1, max: 365, value: 7, required: true },
    ],
    async work({ email, uses, days }) {
      const body = { uses: Number(uses), expiresInDays: Number(days), ...(email && { email }) };
      const { invitation } = await account.request("POST", "/api/invitations", body);
      const link = new URL(`account.html#invitation/${invitation}`, location.href).href;
      made.replaceChildren(
        el(
          "p",
          { class: "notice" },
          email ? `A mail is on its way to ${email}. The link in it:` : "Pass this link on:",
        ),
        secret("The link", link),
      );
      form.reset();
      made.scrollIntoView({ block: "nearest" });
      await render();
    },
  });
  await render();
  return [section("New invitation", null, form, made), section("Open invitations", null, list)];
}
