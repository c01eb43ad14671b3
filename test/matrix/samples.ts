import { ROUTES } from "../../services/api-gateway/routes";
import { METHODS } from "../../services/core/methods";
import { expectStatus, unique, type Client, type Stage } from "../support/client";
import type { Answer } from "../support/rest";
import type { Asked } from "./doors";
import { letIn, roleIn, type Caller, type Cast, type Kind, type Place } from "./scene";

interface Done {
  place: Place;
  cast: Cast;
  caller: Caller;
  stage: Stage;
}

export interface Sample {
  method: Asked;
  /** In which rooms; none: it is about no room. */
  kinds: readonly Kind[];
  /** Said beside the method's name where it has several. */
  note?: string;
  params(place: Place, cast: Cast, caller: Client | null): Record<string, unknown> | Promise<Record<string, unknown>>;
  /** What is asked for ends the caller's session, and so he asks by a new one; `all`: more than that, and so his like asks. */
  ends?: "session" | "all";
  /** Once it was done, others would be answered differently. */
  spends?: true;
  /** Once it was done: puts back what others depend on. False: that cannot be, and they need another room. */
  undo?(done: Done): Promise<unknown>;
  /** It changes nothing that any other request depends on: what it is asked of serves others as well. */
  keeps?: true;
}

const ALL: readonly Kind[] = ["public", "private", "direct"];
const CHANNELS: readonly Kind[] = ["public", "private"];
const NONE: readonly Kind[] = [];

type Params = Sample["params"];
const room: Params = ({ room: id }) => ({ id });
const message: Params = ({ message: id }) => ({ id });
const nothing: Params = () => ({});
const of = (method: Asked, kinds: readonly Kind[], params: Params, more: Partial<Sample> = {}): Sample => ({
  method,
  kinds,
  params,
  ...more,
});

/** A request of every method that everybody who may would get what he asks for. */
export const SAMPLES: readonly Sample[] = [
  of("auth.logout", NONE, nothing, { ends: "session" }),
  of("auth.ownSessions", NONE, nothing),
  of("auth.endOwn", NONE, (_place, _cast, caller) => ({ id: sessionOf(caller) }), { ends: "session" }),
  of("auth.endOthers", NONE, nothing, { ends: "all" }),
  of(
    "auth.changePassword",
    NONE,
    (_place, _cast, caller) => ({
      currentPassword: password(caller).password,
      newPassword: "another pass phrase",
    }),
    { ends: "all" },
  ),
  of("auth.changeUsername", NONE, (_place, _cast, caller) => ({
    ...password(caller),
    username: caller?.username ?? "nobody",
  })),
  of("auth.changeEmail", NONE, (_place, _cast, caller) => ({
    ...password(caller),
    email: `${unique("new")}@example.org`,
  })),
  of("auth.deactivate", NONE, (_place, _cast, caller) => password(caller), { ends: "all" }),
  of("auth.totp", NONE, nothing),
  of("auth.beginTotp", NONE, (_place, _cast, caller) => password(caller)),
  of("auth.confirmTotp", NONE, wrongCode, { note: "a wrong code", ends: "all" }),
  of("auth.removeTotp", NONE, (_place, _cast, caller) => ({ ...password(caller), code: "000000" }), {
    note: "there is none",
  }),
  of("auth.renewRecoveryCodes", NONE, (_place, _cast, caller) => ({ ...password(caller), code: "000000" }), {
    note: "there are none",
  }),
  of("auth.resetTotp", NONE, (_, { extra }) => ({ id: extra.id })),
  of("auth.createToken", NONE, () => ({ name: "mine", scopes: ["messages:read"] })),
  of("auth.tokens", NONE, nothing),
  of("auth.removeToken", NONE, async (_, cast) => ({ id: await botToken(cast) }), { note: "of a bot" }),
  of("auth.botTokens", NONE, (_, { bot }) => ({ bot: bot.id })),
  of("auth.createBotToken", NONE, (_, { bot }) => ({ bot: bot.id, name: "its", scopes: ["messages:read"] })),
  of("auth.introspect", NONE, (_place, { extra }, caller) => ({ token: caller?.token ?? extra.token }), {
    note: "the token it is asked with",
  }),
  of("auth.introspect", NONE, (_, { extra }) => ({ token: extra.token }), { note: "another's token" }),
  of("auth.identities", NONE, nothing),
  of("auth.invite", NONE, nothing),
  of("auth.invitations", NONE, nothing),
  of("auth.withdrawInvitation", NONE, async (_, { owner }) => ({ id: await invitation(owner) }), {
    note: "of another Moderator",
  }),
  of("auth.roles", NONE, nothing),
  of("auth.setRole", NONE, () => ({ role: "Guest", permissions: ["files.upload"] })),
  of("auth.audit", NONE, () => ({ limit: 1 })),
  of("audit-export", NONE, nothing),
  of("users.me", NONE, nothing),
  of("users.get", NONE, (_, { extra }) => ({ id: extra.id })),
  of("users.list", NONE, () => ({ search: "extra" })),
  of("users.updateMe", NONE, () => ({ displayName: "Somebody" })),
  of("users.update", NONE, (_, { extra }) => ({ id: extra.id, displayName: "Else" })),
  of("users.deactivate", NONE, (_, { sleeper }) => ({ id: sleeper.id }), {
    undo: ({ cast: { Admin, sleeper } }) => ok(Admin.post(`/api/users/${sleeper.id}/activate`)),
  }),
  of("users.activate", NONE, (_, { extra }) => ({ id: extra.id })),
  of("users.remove", NONE, (_, { leaving }) => ({ id: leaving.id }), {
    undo: async ({ cast, stage }) => (cast.leaving = await stage.user("leaving")),
  }),
  of("users.erasure", NONE, async (_, { erased }) => ({ id: erased })),
  of("users.bots", NONE, nothing),
  of("users.createBot", NONE, () => ({ username: unique("bot") })),
  of("users.removeBot", NONE, async (_, { Admin }) => ({ id: await newBot(Admin) })),
  of("person-export", NONE, (_place, { extra }, caller) => ({ id: caller?.id ?? extra.id }), { note: "of oneself" }),
  of("person-export", NONE, (_, { extra }) => ({ id: extra.id }), { note: "of another" }),

  of("users.friends", NONE, nothing),
  of("users.friendIds", NONE, nothing),
  of("users.requests", NONE, nothing),
  of("users.befriend", NONE, (_, { friend }) => ({ userId: friend.id })),
  of("users.unfriend", NONE, (_, { friend }) => ({ userId: friend.id })),
  of("users.blocks", NONE, nothing),
  of("users.block", NONE, (_, { foe }) => ({ userId: foe.id })),
  of("users.unblock", NONE, (_, { foe }) => ({ userId: foe.id })),
  of("users.preferences", NONE, nothing),
  of("users.updatePreferences", NONE, () => ({ language: "en" })),

  of("rooms.list", NONE, nothing),
  of("rooms.create", NONE, () => ({ name: unique("made") })),
  of("rooms.get", ALL, room),
  of("rooms.update", ALL, ({ room: id }) => ({ id, name: unique("named") }), { note: "name", keeps: true }),
  of("rooms.update", CHANNELS, ({ room: id }) => ({ id, retentionDays: 30 }), { note: "retentionDays", keeps: true }),
  of("rooms.update", CHANNELS, ({ room: id }) => ({ id, legalHold: false }), { note: "legalHold", keeps: true }),
  of("rooms.remove", ALL, room, { spends: true }),
  of("rooms.join", ALL, room),
  of("rooms.leave", ALL, room, { undo: backAgain }),
  of("rooms.members", ALL, room),
  of("rooms.addMember", ALL, ({ room: id }, { extra }) => ({ id, userId: extra.id })),
  of("rooms.addMember", CHANNELS, ({ room: id }, { member }) => ({ id, userId: member.id, role: "moderator" }), {
    note: "role",
  }),
  of("rooms.removeMember", CHANNELS, ({ room: id }, { member }) => ({ id, userId: member.id }), {
    note: "a member",
    undo: memberBack,
  }),
  of("rooms.removeMember", CHANNELS, ({ room: id }, { owner }) => ({ id, userId: owner.id }), {
    note: "the owner",
    spends: true,
  }),
  of("rooms.transfer", ALL, ({ room: id }, { member }) => ({ id, userId: member.id }), { spends: true }),
  of("rooms.archive", ALL, room, { undo: ofOwner("POST", ({ room: id }) => `${id}/unarchive`) }),
  of("rooms.unarchive", ALL, room),
  of("rooms.ban", ALL, ({ room: id }, { member }) => ({ id, userId: member.id }), {
    undo: done =>
      ofOwner("DELETE", ({ room: id }, { member }) => `${id}/bans/${member.id}`)(done).then(() => memberBack(done)),
  }),
  of("rooms.unban", ALL, ({ room: id }, { banned }) => ({ id, userId: banned.id })),
  of("rooms.bans", ALL, room),
  of("rooms.mute", ALL, ({ room: id }, { member }) => ({ id, userId: member.id }), {
    undo: ofOwner("DELETE", ({ room: id }, { member }) => `${id}/mutes/${member.id}`),
  }),
  of("rooms.unmute", ALL, ({ room: id }, { muted }) => ({ id, userId: muted.id }), {
    undo: ofOwner("PUT", ({ room: id }, { muted }) => `${id}/mutes/${muted.id}`),
  }),
  of("rooms.invite", ALL, room),
  of("rooms.invites", ALL, room),
  of("rooms.endInvite", CHANNELS, async ({ room: id, newLink }) => ({ id, code: await newLink() })),
  of("rooms.invitation", CHANNELS, async ({ link }) => ({ code: await link() }), { note: "by a link" }),
  of("rooms.accept", CHANNELS, async ({ link }) => ({ code: await link() }), {
    note: "by a link",
    undo: outAgain,
  }),
  of("rooms.conversations", NONE, nothing),
  of("rooms.converse", NONE, (_, { extra }) => ({ type: "group", members: [extra.id], name: "some" }), {
    note: "a group",
  }),
  of("rooms.converse", NONE, (_, { extra }) => ({ type: "direct", members: [extra.id] }), { note: "with one" }),

  of("messages.send", ALL, ({ room: id }) => ({ id, text: "hello" }), { keeps: true }),
  of("messages.history", ALL, ({ room: id }) => ({ id, limit: 5 })),
  of("messages.get", ALL, message),
  of("messages.edit", ALL, ({ message: id }) => ({ id, text: "changed" }), { keeps: true }),
  of("messages.remove", ALL, message),
  of("messages.react", ALL, ({ message: id }) => ({ id, emoji: "👍" }), { keeps: true }),
  of("messages.unreact", ALL, ({ message: id }) => ({ id, emoji: "👍" }), { keeps: true }),
  of("messages.pin", ALL, message, { keeps: true }),
  of("messages.unpin", ALL, message, { keeps: true }),
  of("messages.pins", ALL, room),
  of("messages.versions", ALL, message),
  of("messages.hide", ALL, message),
  of("messages.replies", ALL, message),
  of("messages.threads", ALL, room),
  of("messages.readThread", ALL, ({ message: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.read", ALL, ({ room: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.markUnread", ALL, ({ room: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.delivered", ALL, ({ room: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.receipts", ALL, message),
  of("messages.open", ALL, room),
  of("messages.readAll", NONE, nothing),
  of("messages.unread", NONE, nothing),
  of("messages.overview", NONE, nothing),

  of("sub", ALL, room, { keeps: true }),
  of("typing", ALL, room, { keeps: true }),
  of("room-export", ALL, room),
  of("files.save", NONE, () => ({ name: "a.txt" })),
  of("files.open", ALL, ({ file: id }) => ({ id })),
  of("files.link", ALL, ({ file: id }) => ({ id })),
];

/** What takes another server: test/acceptance/oidc.test.ts asks for it. */
const ELSEWHERE: readonly string[] = ["auth.oidcLink", "auth.unlink"];

/** What the signed-in may ask for and nobody would. */
export const missing = (): string[] => {
  const routed = ROUTES.filter(({ auth }) => auth !== "none").map(({ to }) => to);
  const asked = new Set<string>([...SAMPLES.map(({ method }) => method), ...ELSEWHERE]);
  return [...new Set<string>([...METHODS, ...routed])].filter(name => !asked.has(name));
};

const ok = async (asked: Promise<Answer>): Promise<void> => {
  const answer = await asked;
  if (answer.status >= 300) expectStatus(answer, 200);
};

/** What the owner asks for below the path of channels. */
function ofOwner(method: string, path: (place: Place, cast: Cast) => string): (done: Done) => Promise<void> {
  return ({ place, cast }) =>
    ok(cast.owner.request(method, `/api/channels/${path(place, cast)}`, method === "PUT" ? {} : undefined));
}

function memberBack({ place, cast }: Done): Promise<void> {
  return letIn(cast.owner, place.room, cast.member);
}

/** Whoever was in is what he was. A room that its owner has left is another's. */
async function backAgain({ place, cast, caller }: Done): Promise<boolean> {
  if (caller === "owner") return false;
  const role = roleIn(caller);
  // Between the owner and the blocked there is the block.
  const by = caller === "blocked" ? cast["room moderator"] : cast.owner;
  if (role && caller !== "nobody") await letIn(by, place.room, cast[caller], role);
  return true;
}

/** Whoever was not in is not. */
async function outAgain({ place, cast, caller }: Done): Promise<void> {
  if (caller === "nobody" || caller === "owner" || roleIn(caller)) return;
  await ok(cast[caller].post(`/api/channels/${place.room}/leave`));
}

/** Whoever has none says any. */
const password = (caller: Client | null): { password: string } => ({ password: caller?.password || "none" });

/** `sid` of the access token; the token of a bot has none, nor has nobody. */
function sessionOf(caller: Client | null): string {
  const claims = caller?.token?.split(".")[1];
  if (claims === undefined) return caller?.id ?? "nobody";
  return (JSON.parse(Buffer.from(claims, "base64url").toString()) as { sid: string }).sid;
}

async function botToken({ Admin, bot }: Cast): Promise<string> {
  const wanted = { name: "short-lived", scopes: ["users:read"] };
  return expectStatus(await Admin.post(`/api/bots/${bot.id}/tokens`, wanted), 201).body.id as string;
}

/** Six digits too many for any code. */
async function wrongCode(_: Place, _cast: Cast, caller: Client | null): Promise<{ code: string }> {
  await caller?.post("/api/auth/totp", password(caller));
  return { code: "000000000000" };
}

const newBot = async (admin: Client): Promise<string> =>
  expectStatus(await admin.post("/api/bots", { username: unique("bot") }), 201).body.id as string;

const invitation = async (inviter: Client): Promise<string> =>
  expectStatus(await inviter.post("/api/invitations", {}), 201).body.id as string;
