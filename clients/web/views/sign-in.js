import { $, problem } from "../dom.js";

const FIELDS = { username: "User name", email: "E-mail", password: "Password", code: "Code" };

/** The form for signing in and registering. Calls `done` once signed in. */
export function signInView(session, done) {
  const view = $("#sign-in");
  const form = $("form", view);
  const { username, email, password, code, other } = form.elements;
  const submit = $("button[type=submit]", form);
  let registering = false;

  function askForCode(asked) {
    code.parentElement.hidden = !asked;
    code.required = asked;
    if (!asked) code.value = "";
  }

  function choose(register) {
    registering = register;
    askForCode(false);
    problem(form, null);
    for (const node of form.querySelectorAll("[data-register]")) node.hidden = !register;
    email.required = register;
    password.autocomplete = register ? "new-password" : "current-password";
    submit.textContent = register ? "Create account" : "Sign in";
    $("#sign-in-lead").textContent = register ? "Make an account: it takes a moment." : "Sign in to go on.";
    other.previousElementSibling.textContent = register ? "Have one already?" : "New here?";
    other.textContent = register ? "Sign in" : "Create an account";
  }

  other.addEventListener("click", () => {
    choose(!registering);
    username.focus();
  });

  form.addEventListener("submit", async event => {
    event.preventDefault();
    const wrong = [...form.elements].find(field => field.willValidate && !field.checkValidity());
    if (wrong) {
      problem(form, `${FIELDS[wrong.name]}: ${wrong.value ? wrong.validationMessage : "this is needed."}`);
      return wrong.focus();
    }
    submit.disabled = true;
    problem(form, null);
    const name = username.value.trim();
    const body = { username: name, password: password.value, ...(registering && { email: email.value.trim() }) };
    if (code.required) body.code = code.value.trim();
    try {
      await session.open(registering ? "register" : "login", body);
      form.reset();
      askForCode(false);
      done();
    } catch (error) {
      if (error.status === 401 && error.errors?.some(({ field }) => field === "code")) {
        problem(form, code.required ? "That code is not right, or was used already." : null);
        askForCode(true);
        return code.select();
      }
      problem(form, explain(error, registering));
      password.select();
    } finally {
      submit.disabled = false;
    }
  });

  return {
    show(why) {
      view.hidden = false;
      choose(false);
      problem(form, why);
      username.focus();
    },
    hide: () => (view.hidden = true),
  };
}

function explain({ status, message, errors, retryAfterMs }, registering) {
  if (status === 401) return "That user name and password do not go together.";
  if (status === 429) return `Too many tries. Wait ${Math.ceil((retryAfterMs || 60_000) / 1000)} s and try again.`;
  if (registering && errors?.some(({ field }) => field === "username"))
    return "User name: 3 to 32 letters (a-z), digits, dots, dashes or underscores.";
  if (registering && errors?.some(({ field }) => field === "password"))
    return message.startsWith("password: ") ? message.slice(10) : "Password: at least 8 characters.";
  return message;
}
