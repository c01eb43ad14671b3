/** Small helpers over the DOM. Text gets in as text nodes only: nothing that somebody wrote can become markup. */

export const $ = (selector, inside = document) => inside.querySelector(selector);

/** An element with attributes, `on...` listeners and children; null and false are left out. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

/** An icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Initials on a colour of their own. `online` undefined: no dot. */
export function avatar(name, online) {
  const node = el("span", { class: "avatar", "aria-hidden": "true" }, [...name].slice(0, 2).join("").toUpperCase());
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  // Through the CSSOM: the content security policy forbids style attributes.
  node.style.setProperty("--hue", hue);
  if (online !== undefined) node.append(el("span", { class: online ? "dot online" : "dot" }));
  return node;
}

/** Text as nodes, with http and https addresses as links. No other scheme ever becomes one. */
export function linked(text) {
  const nodes = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/gi)) {
    const address = found.replace(found.includes("(") ? /[.,;:!?'\]]+$/ : /[.,;:!?'\])]+$/, "");
    if (!URL.canParse(address)) continue;
    const link = el("a", { href: new URL(address).href, target: "_blank", rel: "noopener noreferrer" }, address);
    nodes.push(text.slice(done, index), link);
    done = index + address.length;
  }
  return [...nodes, text.slice(done)];
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const narrow = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const timeOf = (when, short) => (short ? narrow : clock).format(new Date(when));

/** "Today", "Yesterday" or the date. */
export function dayOf(when) {
  const days = [new Date(), new Date(Date.now() - 86_400_000)].map(day => day.toDateString());
  return ["Today", "Yesterday"][days.indexOf(new Date(when).toDateString())] ?? date.format(new Date(when));
}

export const sizeOf = bytes =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1_048_576
      ? `${Math.round(bytes / 1024)} KB`
      : `${(bytes / 1_048_576).toFixed(1)} MB`;

/** Shows or clears what went wrong. */
export function problem(inside, text) {
  const node = $(".problem", inside);
  node.textContent = text ?? "";
  node.hidden = !text;
}
