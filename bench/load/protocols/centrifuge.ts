import { Joining, type Protocol } from "./protocol";

const joining = new Joining();

/** The JSON protocol of Centrifuge; replies and pushes that wait come in one frame. An empty object is a ping. */
export const centrifuge: Protocol = {
  path: "/connection/websocket",
  separator: "\n",
  greet: speaker => speaker.say('{"id":1,"connect":{}}'),
  joined(event, speaker) {
    if (event.includes('"error"')) throw new Error(event);
    if (event.includes('"subscribe"')) return joining.one(speaker);
    if (event.includes('"connect"'))
      speaker.rooms.forEach((room, at) => speaker.say(`{"id":${at + 2},"subscribe":{"channel":"${room}"}}`));
    return false;
  },
  send: (room, { serial, text }) =>
    `{"id":${serial + 10_000},"publish":{"channel":"${room}","data":{"id":"c${serial}","text":"${text}"}}}`,
  isDelivery: event => event.startsWith('{"push"'),
  reply: event => (event === "{}" ? "{}" : null),
  refused(event) {
    if (!event.includes('"error"')) return null;
    return (JSON.parse(event) as { id: number }).id - 10_000;
  },
};
