import { create } from "./membership.js";

/** Follows the link by which somebody came (`/#invite=CODE`), if he wants to. Its code leaves the address at once. */
export async function followInvite(chat) {
  const [, code] = /^#invite=([\w-]+)$/.exec(location.hash) ?? [];
  if (!code) return;
  history.replaceState(null, "", location.pathname + location.search);
  const path = `/api/invites/${code}`;
  try {
    const { room, invitedBy, member } = await chat.session.request("GET", path);
    const question = `${invitedBy.username} invites you to ${room.name ?? "a conversation"}. Join?`;
    if (member || confirm(question)) await create(chat, `${path}/join`, {});
  } catch (error) {
    alert(error.status === 404 ? "This invitation has ended." : error.message);
  }
}
