import { $, el, problem } from "../dom.js";
import { clear, onSubmit } from "../form.js";
import { providers, remember, startOf } from "../oidc.js";
import { ask, ApiError, offers } from "../session.js";

/** What the form is for: what it asks, and what can be done instead. */
const MODES = {
  login: { lead: "Sign in to go on.", fields: ["username", "password"], button: "Sign in" },
  register: {
    lead: "Make an account: it takes a moment.",
    fields: ["username", "email", "password"],
    button: "Create account",
  },
  guest: {
    lead: "Come in without an account. You are gone when you sign out.",
    fields: ["displayName"],
    button: "Come in",
  },
  "forgot-password": {
    lead: "You get a mail with a link to set a new password.",
    fields: ["email"],
    button: "Send the mail",
    sent: "If there is an account with this address, the mail is on its way. Its link works for 30 minutes.",
  },
  "forgot-username": {
    lead: "You get a mail with your user name.",
    fields: ["email"],
    button: "Send the mail",
    sent: "If there is an account with this address, the mail is on its way.",
  },
  verify: {
    lead: "Your e-mail has to be verified: follow the link in the mail, then sign in.",
    fields: ["email"],
    button: "Send it again",
    path: "verify/resend",
    sent: "If this address waits for it, the mail is on its way. Look among unwanted mail, too.",
  },
  code: { lead: "Give a code of your second factor.", fields: ["code"], button: "Sign in" },
};

/** The form for coming in, by whatever way this server offers. Calls `done` once signed in. */
export function signInView(session, done) {
  const view = $("#sign-in");
  const form = $("form", view);
  const { username, email, password } = form.elements;
  let mode = "login";
  /** Of somebody who is back from a provider. */
  let arrived = null;
  let offered = null;

  function choose(next, keep = {}) {
    mode = next;
    const { lead, fields, button } = MODES[mode];
    clear(form);
    for (const place of form.querySelectorAll("[data-field]")) place.hidden = !fields.includes(place.dataset.field);
    $("[data-field=code]", form).removeAttribute("data-asked");
    $("[data-field=username] span", form).textContent = mode === "login" ? "User name or e-mail" : "User name";
    $("#password-hint").hidden = mode !== "register";
    password.autocomplete = mode === "register" ? "new-password" : "current-password";
    $("button[type=submit]", form).textContent = button;
    $("#sign-in-lead").textContent = lead;
    $("#providers").hidden = mode !== "login";
    for (const input of form.querySelectorAll("input")) input.value = keep[input.name] ?? "";
    renderWays();
  }

  const go = next => {
    choose(next, { email: email.value || (username.value.includes("@") ? username.value : "") });
    $(".field:not([hidden]) input", form).focus();
  };
  const way = (to, text, before) =>
    el(
      "p",
      { class: "muted" },
      before && `${before} `,
      el("button", { type: "button", class: "link", onclick: () => go(to) }, text),
    );

  function renderWays() {
    const { registration, guests } = offered ?? { registration: "open" };
    const ways = {
      login: [
        registration === "open" && way("register", "Create an account", "New here?"),
        registration === "invited" && el("p", { class: "muted" }, "New here? Ask for an invitation."),
        way("forgot-password", "Forgot your password?"),
        way("forgot-username", "Forgot your user name?"),
        guests && way("guest", "Come in as a guest"),
      ],
      register: [way("login", "Sign in", "Have one already?")],
    };
    $("#ways").replaceChildren(...(ways[mode] ?? [way("login", "Go back")]).filter(Boolean));
  }

  async function look() {
    const [config, items] = await Promise.all([offers(), providers()]);
    offered = config;
    const links = items.map(({ id, name }) =>
      el("a", { class: "button", href: startOf(id), onclick: remember }, `Continue with ${name}`),
    );
    $("#providers").replaceChildren(...links);
    renderWays();
  }

  const WORK = {
    login: values => session.open("login", values),
    register: values => session.open("register", values),
    guest: ({ displayName: name }) => session.open("guest", name ? { displayName: name } : {}),
    code: ({ code }) => session.open("oidc/exchange", { code: arrived, ...(code && { totp: code }) }),
  };

  onSubmit(form, async values => {
    const { path = mode, sent } = MODES[mode];
    if (sent) {
      await ask(path, values);
      return sent;
    }
    try {
      const { verification } = await WORK[mode](values);
      if (verification) return choose("verify", { email: email.value });
    } catch (error) {
      throw notice(error);
    }
    choose("login");
    done();
  });

  /** What the server says, in words for who signs in. */
  function notice(error) {
    const fields = error.errors?.map(({ field }) => field) ?? [];
    if (mode === "login" && error.status === 403 && fields.includes("email")) {
      choose("verify", { email: username.value.includes("@") ? username.value : "" });
      return new ApiError({ ...error, errors: [], detail: error.message });
    }
    if (mode === "login" && error.status === 401 && fields.length === 0)
      return new ApiError({ ...error, detail: "That user name and password do not go together." });
    if (mode === "code" && error.status === 401 && fields.length === 0)
      return new ApiError({ ...error, detail: "That took too long. Go back, and sign in once more." });
    return error;
  }

  function show(why) {
    view.hidden = false;
    const asked = location.hash.slice(1);
    choose(Object.hasOwn(MODES, asked) && asked !== "code" ? asked : "login");
    if (mode !== "login") history.replaceState(null, "", location.pathname);
    problem(form, why);
    username.focus();
    void look();
  }

  return {
    show,
    hide: () => (view.hidden = true),
    /** Goes on with what a provider's page sent somebody back with. */
    async arrive(code) {
      arrived = code;
      try {
        await WORK.code({});
        done();
      } catch (error) {
        const asks = error.errors?.some(({ field }) => field === "totp");
        show(asks ? null : "That sign-in was not finished. Try again.");
        if (asks) go("code");
      }
    },
  };
}
