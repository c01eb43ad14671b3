import { el } from "../dom.js";
import { CODE, formOf, PASSWORD } from "../form.js";
import { dateOf, secret, section } from "./parts.js";

const ABOUT = "A code of an app on your phone, besides the password, whenever you sign in.";
const KEEP =
  "Each is good once, in place of a code of the app. Keep them where you find them without your phone: they are not shown again.";

/** Codes of an app besides the password. */
export async function secondFactor(account) {
  const { enabled, confirmedAt, recoveryCodesLeft } = await account.request("GET", "/api/auth/totp");
  return enabled ? there(account, confirmedAt, recoveryCodesLeft) : [absent(account)];
}

function absent(account) {
  const place = section("Set it up", ABOUT);
  const begin = formOf({
    button: "Begin",
    fields: [PASSWORD],
    async work(values) {
      const made = await account.request("POST", "/api/auth/totp", values);
      begin.replaceWith(confirmation(account, made, place));
      place.querySelector("input").focus();
    },
  });
  place.append(begin);
  return place;
}

function confirmation(account, { secret: text, uri }, place) {
  const confirm = formOf({
    button: "Turn it on",
    fields: [{ ...CODE, hint: "The six digits that the app shows.", inputmode: "numeric" }],
    async work(values) {
      const { recoveryCodes } = await account.request("POST", "/api/auth/totp/confirm", values);
      place.replaceWith(codes(account, "It is on", recoveryCodes));
    },
  });
  return el(
    "div",
    { class: "form" },
    el(
      "p",
      {},
      "Open your app and add an account with this key, or ",
      el("a", { href: uri }, "open the app from here"),
      ".",
    ),
    secret("Key", text.match(/.{1,4}/g).join(" ")),
    el("details", {}, el("summary", {}, "The whole address"), secret("Address", uri)),
    confirm,
  );
}

/** Recovery codes, this once. */
function codes(account, title, list) {
  return section(
    title,
    KEEP,
    secret("Recovery codes", list.join("\n")),
    el("button", { type: "button", class: "primary", onclick: account.again }, "I have kept them"),
  );
}

function there(account, since, left) {
  const renew = formOf({
    button: "Make new codes",
    fields: [PASSWORD, CODE],
    async work(values, form) {
      const { recoveryCodes } = await account.request("POST", "/api/auth/totp/recovery-codes", values);
      form.closest("section").replaceWith(codes(account, "New recovery codes", recoveryCodes));
    },
  });
  const remove = formOf({
    button: "Take it off",
    danger: true,
    fields: [PASSWORD, CODE],
    async work(values) {
      await account.request("DELETE", "/api/auth/totp", values);
      await account.again();
    },
  });
  return [
    section("It is on", `Since ${dateOf(since)}. ${left} recovery ${left === 1 ? "code is" : "codes are"} left.`),
    section("New recovery codes", "The old ones are good no longer.", renew),
    section("Take it off", "Then the password alone is enough.", remove),
  ];
}
