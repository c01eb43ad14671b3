import { el } from "../dom.js";
import { CODE, formOf, PASSWORD } from "../form.js";
import { action, dateOf, passwordByMail, secret, section } from "./parts.js";

const ABOUT = "A code of an app on your phone, besides the password, whenever you sign in.";
const KEEP =
  "Each is good once, in place of a code of the app. Keep them where you find them without your phone: they are not shown again.";

/** Codes of an app besides the password. */
export async function secondFactor(account) {
  const { enabled, confirmedAt, recoveryCodesLeft } = await account.request("GET", "/api/auth/totp");
  if (enabled) return there(account, confirmedAt, recoveryCodesLeft);
  return account.session.mustSetUp ? needed(account) : [absent(account)];
}

/** Of who may do nothing else before. */
function needed(account) {
  const { session, me } = account;
  return [
    section(
      "You need one here",
      "Your role asks for a second factor. Set it up to go on.",
      action("Sign out", null, () => session.close()),
    ),
    absent(account),
    me.email && passwordByMail(account),
  ].filter(Boolean);
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

function confirmation(account, { secret: text, uri, qr }, place) {
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
    el("p", {}, "Let your app look at this, or ", el("a", { href: uri }, "open the app from here"), "."),
    el("img", { class: "qr", src: qr, alt: "The key as a QR code" }),
    el("p", {}, "Without a camera, type the key:"),
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
    el("button", { type: "button", class: "primary", onclick: () => kept(account) }, "I have kept them"),
  );
}

/** On to the chat, for who was kept from it. */
const kept = account => (account.session.mustSetUp ? location.replace("./") : account.again());

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
