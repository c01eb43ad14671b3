import { el } from "../dom.js";
import { check, field, formOf } from "../form.js";
import { section } from "./parts.js";

const LANGUAGES = [
  "ar",
  "bg",
  "cs",
  "da",
  "de",
  "el",
  "en",
  "es",
  "et",
  "fi",
  "fr",
  "he",
  "hi",
  "hr",
  "hu",
  "id",
  "it",
  "ja",
  "ko",
  "lt",
  "lv",
  "nb",
  "nl",
  "pl",
  "pt",
  "pt-BR",
  "ro",
  "ru",
  "sk",
  "sl",
  "sr",
  "sv",
  "th",
  "tr",
  "uk",
  "vi",
  "zh-Hans",
  "zh-Hant",
];
const LEVELS = [
  ["all", "Every message"],
  ["mentions", "Mentions and direct messages"],
  ["none", "Nothing"],
];
const AUDIENCES = [
  ["everyone", "Everybody"],
  ["contacts", "Friends, and people of your small rooms"],
  ["nobody", "Nobody"],
];

/** What one wishes, the same on all devices. */
export async function preferences(account) {
  const now = await account.request("GET", "/api/users/me/preferences");
  const form = (fields, change) =>
    formOf({
      fields,
      button: "Save",
      async work(values) {
        await account.request("PATCH", "/api/users/me/preferences", change(values));
        return "Saved.";
      },
    });
  return [
    section("Language and time", null, form(region(now), regionOf)),
    section("Notifications", null, form(notifications(now.notifications), notificationsOf)),
    section(
      "Privacy",
      null,
      form(privacy(now.privacy), values => ({ privacy: values })),
    ),
  ];
}

function region({ language, timeZone }) {
  const names = new Intl.DisplayNames(undefined, { type: "language" });
  const languages = [...new Set([...LANGUAGES, language ?? "en"])].map(code => [code, names.of(code)]);
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = [...new Set([...Intl.supportedValuesOf("timeZone"), here, timeZone ?? here])].sort();
  return [
    {
      name: "language",
      label: "Language",
      hint: "Of mails, as far as they are translated.",
      value: language ?? "",
      options: [["", "As the server does"], ...languages.toSorted(([, a], [, b]) => a.localeCompare(b))],
    },
    {
      name: "timeZone",
      label: "Time zone",
      hint: `This device is in ${here}.`,
      value: timeZone ?? "",
      options: [["", "Not set"], ...zones.map(zone => [zone, zone.replaceAll("_", " ")])],
    },
  ];
}

const regionOf = ({ language, timeZone }) => ({ language: language || null, timeZone: timeZone || null });

function notifications({ default: level, doNotDisturb, email, push }) {
  const times = el(
    "fieldset",
    { class: "pair" },
    el("legend", {}, "Quiet every day"),
    field({ name: "from", label: "From", type: "time", value: doNotDisturb?.from ?? "" }),
    field({ name: "to", label: "To", type: "time", value: doNotDisturb?.to ?? "" }),
  );
  return [
    { name: "level", label: "Tell me of", options: LEVELS, value: level },
    times,
    check({ name: "email", label: "By mail while I am away", checked: email }),
    check({ name: "push", label: "On my devices", checked: push }),
  ];
}

function notificationsOf({ level, from, to, email, push }) {
  if (!from !== !to) throw new Error("Quiet hours have a beginning and an end.");
  return { notifications: { default: level, doNotDisturb: from ? { from, to } : null, email, push } };
}

const privacy = ({ find, write, presence, sendReadReceipts }) => [
  { name: "find", label: "Who finds me by search", options: AUDIENCES, value: find },
  { name: "write", label: "Who may begin a conversation with me", options: AUDIENCES, value: write },
  { name: "presence", label: "Who sees whether I am there", options: AUDIENCES, value: presence },
  check({ name: "sendReadReceipts", label: "Others see how far I have read", checked: sendReadReceipts }),
];
