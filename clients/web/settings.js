import { $, avatar, el } from "./dom.js";
import { arrival, providers } from "./oidc.js";
import { Session } from "./session.js";
import { devices } from "./settings/devices.js";
import { invitations } from "./settings/invitations.js";
import { leaving } from "./settings/leaving.js";
import { login } from "./settings/login.js";
import { people } from "./settings/people.js";
import { preferences } from "./settings/preferences.js";
import { profile } from "./settings/profile.js";
import { linked } from "./settings/linked.js";
import { secondFactor } from "./settings/second-factor.js";
import { tokens } from "./settings/tokens.js";
import { say } from "./views/banner.js";

/** Milliseconds between attempts to reach the server. */
const RETRY = 3_000;

/** By what stands in the address. Each `show` makes its nodes anew; `for` says who has the part. */
const PARTS = {
  profile: { title: "Profile", show: profile },
  login: { title: "Name, e-mail, password", show: login, for: hasAccount },
  "second-factor": { title: "Second factor", show: secondFactor, for: hasAccount },
  providers: {
    title: "Other ways to sign in",
    show: linked,
    for: has => hasAccount(has) && account.providers.length > 0,
  },
  devices: { title: "Devices", show: devices },
  people: { title: "Friends and blocks", show: people },
  preferences: { title: "Preferences", show: preferences },
  tokens: { title: "Programs", show: tokens, for: session => session.may("tokens.create") },
  invitations: { title: "Invitations", show: invitations, for: session => session.may("invitations.create") },
  leaving: { title: "Your data, leaving", show: leaving },
};

/** Guests have nothing to sign in with. */
function hasAccount({ user }) {
  return user.roles.some(role => role !== "Guest");
}

const session = new Session(
  () => location.replace("./"),
  () => {
    if (session.mustSetUp) location.hash = "second-factor";
  },
);
/** What a provider's page sent us back with, for the part that it concerns. */
let back = arrival({ CONFLICT: "That account is linked to somebody else here." });
let shown = 0;

/** What the parts work with. */
const account = {
  session,
  /** Whom one may sign in with. */
  providers: [],
  get me() {
    return session.user;
  },
  request: (method, path, body) => session.request(method, path, body && { body }),
  /** The user has changed. */
  known(user) {
    Object.assign(session, { user });
    renderHead();
  },
  /** Shows the part once more, with what is stored now. */
  again: async () => {
    await show();
    // What was pressed is gone.
    $("#title")?.focus({ preventScroll: true });
  },
};

function renderHead() {
  const { displayName, username } = session.user;
  $("#who").replaceChildren(avatar(displayName ?? username), el("span", {}, displayName ?? username));
}

async function show() {
  const turn = ++shown;
  const allowed = Object.entries(PARTS).filter(([name, part]) =>
    session.mustSetUp ? name === "second-factor" : (part.for?.(session) ?? true),
  );
  const asked = back ? "providers" : location.hash.slice(1);
  const [id, part] = allowed.find(([name]) => name === asked) ?? allowed[0];
  // From there one would only be sent back here.
  $("#back").hidden = session.mustSetUp;
  $("#parts").replaceChildren(
    ...allowed.map(([name, { title }]) =>
      el("li", {}, el("a", { href: `#${name}`, "aria-current": name === id ? "page" : null }, title)),
    ),
  );
  // Phones have them in a row.
  const here = $("#parts [aria-current]");
  $("#parts").scrollLeft = here.offsetLeft - 24;
  document.title = `${part.title} · Rookery`;
  const brought = back;
  back = null;
  if (brought) history.replaceState(null, "", "#providers");
  let nodes;
  try {
    nodes = await part.show(account, brought);
  } catch (error) {
    if (error.status === 401) return;
    nodes = [
      el("p", { class: "problem", role: "alert" }, error.message),
      el("p", {}, el("button", { onclick: show }, "Try again")),
    ];
  }
  if (turn !== shown) return;
  $("#part").replaceChildren(el("h2", { id: "title", tabindex: "-1" }, part.title), ...nodes);
}

async function begin() {
  if (!session.stored()) return location.replace("./");
  try {
    [account.providers] = await Promise.all([providers(), session.refresh()]);
  } catch (error) {
    if (error.status === 401) return;
    say("The server cannot be reached. Trying again …");
    return setTimeout(begin, RETRY);
  }
  say(null);
  renderHead();
  $(".settings").hidden = false;
  addEventListener("hashchange", () => show().then(() => $("#title")?.focus()));
  await show();
}

void begin();
