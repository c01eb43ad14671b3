import { Joining, type Protocol } from "./protocol";

const joining = new Joining();

/** The words of peers/raw-uws.ts and peers/ws.ts: `j:ROOM` is answered `ok`, `s:ROOM:TEXT` goes to all of the room as TEXT. */
export const raw: Protocol = {
  path: "/",
  separator: "",
  greet: speaker => speaker.rooms.forEach(room => speaker.say(`j:${room}`)),
  joined: (event, speaker) => event === "ok" && joining.one(speaker),
  send: (room, { text }) => `s:${room}:${text}`,
  isDelivery: event => event.startsWith("T"),
};
