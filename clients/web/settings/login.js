import { CODE_IF_ASKED, formOf, NEW_PASSWORD, PASSWORD } from "../form.js";
import { passwordByMail, section } from "./parts.js";

/** What one signs in with. Each change takes the password. */
export function login(account) {
  const { me } = account;
  const username = formOf({
    button: "Change user name",
    fields: [
      {
        name: "username",
        label: "User name",
        value: me.username,
        required: true,
        maxlength: 32,
        autocomplete: "username",
        autocapitalize: "none",
        spellcheck: "false",
      },
      PASSWORD,
      CODE_IF_ASKED,
    ],
    async work(values) {
      account.known(await account.request("POST", "/api/auth/username", values));
      // The token names the old one.
      account.session.distrust();
      return `You are ${account.me.username} now.`;
    },
  });
  const email = formOf({
    button: "Change e-mail",
    fields: [
      { name: "email", label: "New e-mail", type: "email", required: true, maxlength: 254, autocomplete: "email" },
      PASSWORD,
      CODE_IF_ASKED,
    ],
    async work(values, form) {
      await account.request("POST", "/api/auth/email", values);
      const { email: now } = await account.request("GET", "/api/users/me");
      form.elements.email.value = "";
      if (now?.toLowerCase() !== values.email.toLowerCase())
        return `A mail is on its way to ${values.email}: the address changes once its link is followed.`;
      return `Your e-mail is ${now} now.`;
    },
  });
  const password = formOf({
    button: "Change password",
    fields: [{ ...PASSWORD, name: "currentPassword" }, { ...NEW_PASSWORD, name: "newPassword" }, CODE_IF_ASKED],
    async work(values) {
      await account.request("POST", "/api/auth/password", values);
      return "Your password is changed, and you are signed out everywhere else.";
    },
  });
  return [
    section("User name", "Others mention you by it.", username),
    section("E-mail", me.email ? `It is ${me.email}.` : "There is none yet.", email),
    section("Password", "All other devices are signed out.", password),
    me.email && passwordByMail(account),
  ].filter(Boolean);
}
