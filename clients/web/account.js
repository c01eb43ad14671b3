import { $, problem } from "./dom.js";

/** What the links of mails do. Opening one changes nothing: programs that look through mail open them, too. */
const DEEDS = {
  verify: { lead: "Is this your e-mail address?", button: "Verify it", path: "verify", done: "It is verified." },
  reset: {
    lead: "Choose a new password.",
    fields: ["password"],
    button: "Set it",
    path: "reset-password",
    done: "Your password is set, and you are signed out everywhere.",
  },
  email: {
    lead: "Shall the e-mail of your account change?",
    button: "Confirm",
    path: "email/confirm",
    done: "Confirmed. It changes when every mail about it is confirmed.",
  },
  "email-cancel": {
    lead: "Stop the change of your e-mail?",
    button: "Stop it",
    path: "email/cancel",
    done: "Your e-mail stays as it is. Change your password, too.",
  },
  invitation: {
    lead: "You are invited. Make your account.",
    fields: ["username", "email", "password"],
    button: "Make it",
    path: "register",
    token: "invitation",
    done: "Your account is made. If you get a mail, follow its link first.",
  },
};

const [what, token] = location.hash.slice(1).split("/");
const deed = Object.hasOwn(DEEDS, what) && token ? DEEDS[what] : null;
// Out of sight, and out of the history.
history.replaceState(null, "", location.pathname);

const form = $("form");
const button = $("button", form);
const fields = [...(deed?.fields ?? [])];
const over = text => {
  $("#lead").textContent = text;
  for (const node of form.querySelectorAll("[data-field], button")) node.hidden = true;
  $("#on").hidden = false;
};

if (!deed) over("This link is not whole. Open it from the mail once more.");
else {
  $("#lead").textContent = deed.lead;
  button.textContent = deed.button;
  button.hidden = false;
  for (const name of fields) $(`[data-field=${name}]`, form).hidden = false;
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  button.disabled = true;
  problem(form, null);
  const given = Object.fromEntries(fields.map(name => [name, form.elements[name].value]));
  try {
    const answer = await fetch(`api/auth/${deed.path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ [deed.token ?? "token"]: token, ...given }),
    });
    if (answer.ok) return over(deed.done);
    const { detail, title, errors } = await answer.json();
    problem(form, detail ?? title);
    // The account has a second factor.
    if (answer.status === 401 && !fields.includes("code") && errors?.some(({ field }) => field === "code")) {
      fields.push("code");
      $("[data-field=code]", form).hidden = false;
    }
  } catch {
    problem(form, "The server cannot be reached. Try again.");
  } finally {
    button.disabled = false;
  }
});
