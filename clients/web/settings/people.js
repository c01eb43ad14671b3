import { avatar, el } from "../dom.js";
import { formOf } from "../form.js";
import { action, row, rows, section } from "./parts.js";

/** Friends, requests, and whom one blocks. */
export async function people(account) {
  const [friends, { incoming, outgoing }, blocks] = await Promise.all([
    account.session.pages("/api/friends"),
    account.request("GET", "/api/friends/requests"),
    account.session.pages("/api/blocks"),
  ]);
  const put = (path, user) => account.request("PUT", `/api/${path}/${user.id}`).then(account.again);
  const remove = (path, user) => account.request("DELETE", `/api/${path}/${user.id}`).then(account.again);
  const ACTS = {
    ask: user => action("Ask to be friends", `Ask ${nameOf(user)} to be friends`, () => put("friends", user)),
    accept: user => action("Accept", `Accept ${nameOf(user)}`, () => put("friends", user)),
    decline: user => action("Decline", `Decline ${nameOf(user)}`, () => remove("friends", user)),
    withdraw: user => action("Withdraw", `Withdraw the request to ${nameOf(user)}`, () => remove("friends", user)),
    remove: user => action("Remove", `Remove ${nameOf(user)}`, () => remove("friends", user)),
    block: user => action("Block", `Block ${nameOf(user)}`, () => put("blocks", user)),
    unblock: user => action("Unblock", `Unblock ${nameOf(user)}`, () => remove("blocks", user)),
  };
  const person = (user, ...acts) => {
    const item = row(nameOf(user), user.displayName && user.username, ...acts.map(act => ACTS[act](user)));
    item.prepend(avatar(user.username));
    return item;
  };
  const list = (label, found, none, ...acts) =>
    rows(
      label,
      found.map(({ user }) => person(user, ...acts)),
      none,
    );

  const found = el("div", { "aria-live": "polite" });
  const known = new Set([...friends, ...incoming, ...outgoing, ...blocks].map(({ user }) => user.id));
  const search = formOf({
    button: "Find",
    fields: [
      { name: "search", label: "User name", type: "search", required: true, maxlength: 64, autocapitalize: "none" },
    ],
    async work({ search: name }) {
      const query = new URLSearchParams({ search: name, pageSize: "10" });
      const { items } = await account.request("GET", `/api/users?${query}`);
      const others = items.filter(user => user.id !== account.me.id && !known.has(user.id));
      found.replaceChildren(
        rows(
          "People found",
          others.map(user => person(user, "ask", "block")),
          "Nobody by that name who is not below.",
        ),
      );
    },
  });
  return [
    section("Find people", null, search, found),
    incoming.length > 0 &&
      section("They ask to be friends", null, list("Requests to you", incoming, "", "accept", "decline", "block")),
    outgoing.length > 0 && section("You have asked", null, list("Your requests", outgoing, "", "withdraw")),
    section("Friends", null, list("Friends", friends, "None yet.", "remove", "block")),
    section(
      "Blocked",
      "They cannot write to you, find you, or see whether you are there. Nobody tells them.",
      list("Blocked", blocks, "Nobody.", "unblock"),
    ),
  ].filter(Boolean);
}

const nameOf = ({ displayName, username }) => displayName ?? username;
