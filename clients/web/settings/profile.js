import { avatar, el } from "../dom.js";
import { formOf } from "../form.js";
import { action, section } from "./parts.js";

/** Pixels of a picture's side: more is never shown. */
const SIDE = 256;

/** What others see of oneself. */
export function profile(account) {
  const { me } = account;
  const form = formOf({
    button: "Save",
    fields: [
      {
        name: "displayName",
        label: "Name",
        hint: `Others see it in place of ${me.username}.`,
        value: me.displayName ?? "",
        maxlength: 64,
        autocomplete: "name",
      },
      { name: "pronouns", label: "Pronouns", value: me.pronouns ?? "", maxlength: 40, autocomplete: "off" },
      { name: "bio", label: "About you", rows: 4, value: me.bio ?? "", maxlength: 500 },
    ],
    async work({ displayName, pronouns, bio }) {
      const body = { displayName: displayName || null, pronouns: pronouns || null, bio: bio || null };
      account.known(await account.request("PATCH", "/api/users/me", body));
      return "Saved.";
    },
  });
  return [section("Picture", null, picture(account)), section("What others read", null, form)];
}

function picture(account) {
  const { me } = account;
  const set = async avatarUrl => {
    account.known(await account.request("PATCH", "/api/users/me", { avatarUrl }));
    await account.again();
  };
  const picker = el("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Picture" });
  const choose = action(me.avatarUrl ? "Change" : "Choose a picture", "Choose a picture", async () => {
    const file = await chosen(picker);
    if (!file) return;
    const form = new FormData();
    form.append("file", await small(file), "picture.webp");
    const { url } = await account.session.request("POST", "/api/files", { form });
    await set(url);
  });
  const remove = me.avatarUrl && action("Remove", "Remove the picture", () => set(null));
  return el("div", { class: "picture" }, shown(account), picker, choose, remove);
}

function chosen(picker) {
  return new Promise(resolve => {
    picker.onchange = () => resolve(picker.files[0]);
    picker.oncancel = () => resolve(null);
    picker.click();
  });
}

/** The middle of it, a square, without what cameras write into files. */
async function small(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("This is no picture that can be read.");
  });
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const from = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.getContext("2d").drawImage(bitmap, ...from, side, side, 0, 0, SIDE, SIDE);
  return new Promise(resolve => canvas.toBlob(resolve, "image/webp", 0.9));
}

function shown({ me, session }) {
  const place = avatar(me.displayName ?? me.username);
  if (me.avatarUrl?.startsWith("/api/files/"))
    session.request("GET", me.avatarUrl, { blob: true }).then(
      blob => {
        const image = el("img", { alt: "Your picture", width: 72, height: 72 });
        image.onload = () => URL.revokeObjectURL(image.src);
        image.src = URL.createObjectURL(blob);
        place.replaceWith(image);
      },
      () => undefined,
    );
  return place;
}
