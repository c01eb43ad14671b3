import { avatar, el } from "../dom.js";

/**
 * Somebody's picture, or his initials where there is none to show. Pictures that lie on other servers are not fetched: these
 * would hear who reads here, and when.
 */
export function portrait(chat, id, name, online) {
  const node = avatar(name, online);
  const url = chat.people.picture(id);
  if (url?.startsWith("/api/files/"))
    pictureOf(chat, url).then(
      address => node.prepend(el("img", { src: address, alt: "" })),
      () => undefined,
    );
  return node;
}

/** Asked for once, also where it is gone. */
function pictureOf(chat, url) {
  const key = `picture ${url}`;
  const known = chat.blobs.get(key);
  const address = known ?? chat.session.request("GET", url, { blob: true }).then(blob => URL.createObjectURL(blob));
  if (!known) chat.blobs.set(key, address);
  return address;
}
