import { PAGING, type Route } from "./route";

/** What those do who run a room. */
export const running = (tag: "channels" | "conversations"): Route[] => {
  const path = `/${tag}/{id}`;
  const what = tag === "channels" ? "channel" : "conversation";
  const answer = tag === "channels" ? "Channel" : "Conversation";
  const common = { tag, auth: "user" } as const;
  return [
    {
      ...common,
      method: "POST",
      path: `${path}/owner`,
      to: "rooms.transfer",
      summary: "Make another member owner, and oneself moderator; owners",
      status: 204,
      body: "Transfer",
    },
    {
      ...common,
      method: "POST",
      path: `${path}/archive`,
      to: "rooms.archive",
      summary: `Archive a ${what}: it is read, and nobody writes or comes in; owners and administrators`,
      status: 200,
      answer,
    },
    {
      ...common,
      method: "POST",
      path: `${path}/unarchive`,
      to: "rooms.unarchive",
      summary: `End that; owners and administrators`,
      status: 200,
      answer,
    },
    {
      ...common,
      method: "GET",
      path: `${path}/bans`,
      to: "rooms.bans",
      summary: "Who is banned, longest ago first; owner and moderators",
      status: 200,
      query: PAGING,
      answer: "BanPage",
    },
    {
      ...common,
      method: "PUT",
      path: `${path}/bans/{userId}`,
      to: "rooms.ban",
      summary: "Take somebody out and keep him out, member or not; owner and moderators, of these owners alone",
      status: 204,
      body: "Sentence",
    },
    {
      ...common,
      method: "DELETE",
      path: `${path}/bans/{userId}`,
      to: "rooms.unban",
      summary: "End a ban: he is a stranger again",
      status: 204,
    },
    {
      ...common,
      method: "PUT",
      path: `${path}/mutes/{userId}`,
      to: "rooms.mute",
      summary: "Have a member read only; owner and moderators, of these owners alone",
      status: 204,
      body: "Sentence",
    },
    {
      ...common,
      method: "DELETE",
      path: `${path}/mutes/{userId}`,
      to: "rooms.unmute",
      summary: "End a mute",
      status: 204,
    },
    {
      ...common,
      method: "POST",
      path: `${path}/invites`,
      to: "rooms.invite",
      summary: "Make a link that lets people in; owner and moderators. Its code is told this once",
      status: 201,
      body: "CreateInvite",
      answer: "NewInvite",
    },
    {
      ...common,
      method: "GET",
      path: `${path}/invites`,
      to: "rooms.invites",
      summary: "Links that are open; owner and moderators",
      status: 200,
      answer: "InviteList",
    },
    {
      ...common,
      method: "DELETE",
      path: `${path}/invites/{code}`,
      to: "rooms.endInvite",
      summary: "Close a link, by its code or its id; owner and moderators",
      status: 204,
    },
  ];
};

/** What is done with a link. */
export const byLink: Route[] = [
  {
    method: "GET",
    path: "/invites/{code}",
    to: "rooms.invitation",
    summary: "Where a link leads, and who made it",
    tag: "channels",
    auth: "user",
    status: 200,
    answer: "Invitation",
  },
  {
    method: "POST",
    path: "/invites/{code}/join",
    to: "rooms.accept",
    summary: "Become a member by a link; repeating it uses nothing up",
    tag: "channels",
    auth: "user",
    status: 200,
    answer: "Room",
  },
];
