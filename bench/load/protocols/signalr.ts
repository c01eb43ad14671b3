import { Joining, type Protocol } from "./protocol";

const END = "\x1e";
const joining = new Joining();

const invocation = (target: string, args: unknown[], invocationId?: string): string =>
  JSON.stringify({ type: 1, invocationId, target, arguments: args }) + END;

/** The JSON hub protocol of SignalR, without its negotiation: type 3 completes a call, type 6 is a ping. */
export const signalr: Protocol = {
  path: "/hub",
  separator: END,
  greet: speaker => speaker.say(`{"protocol":"json","version":1}${END}`),
  joined(event, speaker) {
    if (event.includes('"error"')) throw new Error(event);
    if (event === "{}")
      speaker.rooms.forEach((room, at) => speaker.say(invocation("JoinChannel", [room], String(at + 1))));
    return event.includes('"type":3') && joining.one(speaker);
  },
  send: (room, { serial, text }) => invocation("SendMessage", [room, text, `c${serial}`]),
  isDelivery: event => event.includes('"ReceiveMessage"'),
  reply: event => (event === '{"type":6}' ? `{"type":6}${END}` : null),
};
