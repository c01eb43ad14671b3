/** Coming and going. Each throws ApiError; lists and badges are up to date when it is done. */

const pathOf = room => `/api/${room.kind === "channel" ? "channels" : "conversations"}/${room.id}`;

async function change(chat, room, what) {
  await chat.session.request("POST", `${pathOf(room)}/${what}`);
  await chat.loadRooms();
  await chat.countUnread();
  chat.fire("room");
}

export const join = (chat, room) => change(chat, room, "join");
export const leave = (chat, room) => change(chat, room, "leave");

/** Makes a channel or conversation, or comes into one, and shows it. */
export async function create(chat, path, body) {
  const { id } = await chat.session.request("POST", path, { body });
  await chat.loadRooms();
  chat.show(id);
}
