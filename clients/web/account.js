import { $, el } from "./dom.js";
import { onSubmit } from "./form.js";
import { ask, Session } from "./session.js";

/** What the links of mails do. Opening one changes nothing: programs that look through mail open them, too. */
const DEEDS = {
  verify: {
    lead: "Is this your e-mail address?",
    button: "Verify it",
    path: "verify",
    done: "It is verified.",
    again: "./#verify",
  },
  reset: {
    lead: "Choose a new password.",
    fields: ["password"],
    button: "Set it",
    path: "reset-password",
    done: "Your password is set, and you are signed out everywhere.",
    again: "./#forgot-password",
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
  },
};

const [what, token] = location.hash.slice(1).split("/");
const deed = Object.hasOwn(DEEDS, what) && token ? DEEDS[what] : null;
// Out of sight, and out of the history.
history.replaceState(null, "", location.pathname);
// Another link, opened here.
addEventListener("hashchange", () => location.reload());

const form = $("form");
const button = $("button", form);

/** Nothing is left to do here but what the link under it leads to. */
function over(lead, on = "Go on to sign in", to = "./") {
  $("#lead").textContent = lead;
  for (const node of form.querySelectorAll("[data-field], button, .problem")) node.hidden = true;
  $("#on").replaceChildren(el("a", { href: to }, on));
  $("a", form).focus();
}

async function act(values) {
  if (what !== "invitation") {
    await ask(deed.path, { token, ...values });
    return over(deed.done);
  }
  const session = new Session(() => undefined);
  const { verification } = await session.open("register", { invitation: token, ...values });
  if (!verification) return location.replace("./");
  over("Your account is made. Follow the link in the mail that we have sent, then sign in.");
  $("#on").append(el("p", {}, el("a", { href: "./#verify" }, "Send it again")));
}

if (!deed) over("This link is not whole. Open it from the mail once more.");
else {
  $("#lead").textContent = deed.lead;
  button.textContent = deed.button;
  button.hidden = false;
  for (const name of deed.fields ?? []) $(`[data-field=${name}]`, form).hidden = false;
  $(".field:not([hidden]) input", form)?.focus();
  onSubmit(form, async values => {
    try {
      await act(values);
    } catch (error) {
      if (!error.errors?.some(({ field }) => field === "token")) throw error;
      over("This link does not hold any more.", deed.again && "Ask for another", deed.again);
    }
  });
}
