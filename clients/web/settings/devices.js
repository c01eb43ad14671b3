import { el } from "../dom.js";
import { action, momentOf, row, rows, section } from "./parts.js";

/** The first that is found names it; those that call themselves like others stand before them. */
const PROGRAMS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
];
const SYSTEMS = [
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Windows", "Windows"],
  ["Mac OS", "macOS"],
  ["CrOS", "ChromeOS"],
  ["Linux", "Linux"],
];

function nameOf(userAgent = "") {
  const [program, system] = [PROGRAMS, SYSTEMS].map(list => list.find(([mark]) => userAgent.includes(mark))?.[1]);
  return program ? `${program}${system ? ` on ${system}` : ""}` : userAgent.slice(0, 60) || "An unknown program";
}

/** Where one is signed in. */
export async function devices(account) {
  const { items } = await account.request("GET", "/api/auth/sessions");
  const end = async path => {
    await account.request("DELETE", `/api/auth/sessions${path}`);
    await account.again();
  };
  const list = items.map(({ id, userAgent, address, createdAt, lastUsedAt, current }) => {
    const name = nameOf(userAgent);
    const about = [address, `since ${momentOf(createdAt)}`, !current && `last used ${momentOf(lastUsedAt)}`];
    return row(
      name,
      about.filter(Boolean).join(" · "),
      current
        ? el("span", { class: "mark" }, "This one")
        : action("Sign out", `Sign out ${name}, ${address ?? ""}`, () => end(`/${id}`)),
    );
  });
  return [
    section(
      "Where you are signed in",
      "What you do not know: sign it out, and change your password.",
      rows("Devices", list, "Nowhere."),
      items.length > 1 &&
        el(
          "p",
          {},
          action("Sign out all others", null, () => end("")),
        ),
    ),
    section(
      "This device",
      null,
      el("p", {}, el("button", { type: "button", onclick: () => account.session.close() }, "Sign out")),
    ),
  ];
}
