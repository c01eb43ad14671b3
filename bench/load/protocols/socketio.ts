import { Joining, type Protocol } from "./protocol";

const joining = new Joining();

/** Socket.IO over WebSocket alone: Engine.IO's packets by their first digit, `2` is a ping. */
export const socketio: Protocol = {
  path: "/socket.io/?EIO=4&transport=websocket",
  separator: "",
  greet: speaker => speaker.say("40"),
  joined(event, speaker) {
    if (event.startsWith("44")) throw new Error(event);
    if (event.startsWith("40")) speaker.rooms.forEach((room, at) => speaker.say(`42${at}["join","${room}"]`));
    return event.startsWith("43") && joining.one(speaker);
  },
  send: (room, { serial, text }) => `42["message",${JSON.stringify({ room, text, id: `c${serial}` })}]`,
  isDelivery: event => event.startsWith('42["message"'),
  reply: event => (event === "2" ? "3" : null),
};
