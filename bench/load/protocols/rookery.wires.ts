import { Joining, type Protocol } from "./protocol";
import { signalr } from "./signalr";
import { socketio } from "./socketio";

/** Rookery over the wires of others; each is what the official server of that wire is asked, but for the names of fields. */

/** Of this run, so that a second one on the same store sends anew. */
const RUN = Date.now().toString(36);
const END = "\x1e";
const joining = new Joining();

/** Without negotiation; each send asks for its completion. */
export const rookeryHub: Protocol = {
  ...signalr,
  path: ({ token }) => `/hubs/chat?access_token=${token}`,
  send: (room, { serial, text }) =>
    JSON.stringify({
      type: 1,
      invocationId: String(serial),
      target: "SendMessage",
      arguments: [room, { text, clientId: `${RUN}-${serial}` }],
    }) + END,
  isDelivery: event => event.startsWith('{"type":1,"target":"ReceiveMessage"'),
  refused(event) {
    if (!event.startsWith('{"type":3') || !event.includes('"error":')) return null;
    return Number((JSON.parse(event) as { invocationId: string }).invocationId);
  },
};

/** Over WebSocket alone; each send asks for its acknowledgement. */
export const rookeryIo: Protocol = {
  ...socketio,
  greet: speaker => speaker.say(`40${JSON.stringify({ token: speaker.token })}`),
  joined(event, speaker) {
    if (event.startsWith("44") || event.includes('"ok":false')) throw new Error(event);
    if (event.startsWith("40")) speaker.rooms.forEach((room, at) => speaker.say(`42${at}["join","${room}"]`));
    return event.startsWith("43") && joining.one(speaker);
  },
  send: (room, { serial, text }) =>
    `42${serial}["message",${JSON.stringify({ channelId: room, text, clientId: `${RUN}-${serial}` })}]`,
  refused(event) {
    if (!event.startsWith("43") || !event.includes('"ok":false')) return null;
    return Number(/^43(\d+)/.exec(event)?.[1]);
  },
};
