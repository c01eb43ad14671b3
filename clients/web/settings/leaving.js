import { el } from "../dom.js";
import { check, CODE_IF_ASKED, formOf, PASSWORD } from "../form.js";
import { action, section } from "./parts.js";

/** What is kept of oneself, and going. */
export function leaving(account) {
  const { me, session } = account;
  const path = `/api/users/${me.id}`;
  const data = action("Download", "Download your data", async () => {
    const blob = await session.request("GET", `${path}/export`, { blob: true });
    const address = URL.createObjectURL(blob);
    el("a", { href: address, download: `${me.username}.jsonl` }).click();
    // The browser takes it over after this turn.
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  });
  const deactivate = formOf({
    button: "Deactivate",
    danger: true,
    fields: [PASSWORD, CODE_IF_ASKED],
    async work(values) {
      await account.request("POST", "/api/auth/deactivate", values);
      await session.close();
    },
  });
  const remove = formOf({
    button: "Delete my account",
    danger: true,
    fields: [
      {
        name: "username",
        label: `Your user name, ${me.username}`,
        required: true,
        autocomplete: "off",
        autocapitalize: "none",
        spellcheck: "false",
      },
      check({ name: "erase", label: "Erase my messages and files, too" }),
    ],
    async work({ username, erase }) {
      if (username !== me.username) throw new Error("That is not your user name.");
      await account.request("DELETE", `${path}${erase ? "?erase=true" : ""}`);
      await session.close();
    },
  });
  const guest = !me.roles.some(role => role !== "Guest");
  return [
    section("Your data", "All that is kept of you, a JSON document a line.", el("p", {}, data)),
    !guest &&
      section(
        "Deactivate",
        "Nobody can sign in until an administrator opens the account again. All of it stays.",
        deactivate,
      ),
    section(
      "Delete",
      "Your profile goes, for good, and nobody gets your name. What you have written stays, unless it is erased.",
      remove,
    ),
  ].filter(Boolean);
}
