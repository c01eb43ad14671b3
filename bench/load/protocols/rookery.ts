import { SUBPROTOCOL } from "../../../services/core/protocol";
import type { Protocol } from "./protocol";

/** Of this run, so that a second one on the same store sends anew. */
const RUN = Date.now().toString(36);

/** The native wire: hello names all rooms; each send asks for its ack. */
export const rookery: Protocol = {
  path: "/ws",
  subprotocol: SUBPROTOCOL,
  separator: "\n",
  greet(speaker) {
    const rooms = Object.fromEntries(speaker.rooms.map(room => [room, null]));
    speaker.say(JSON.stringify({ t: "hello", i: 1, token: speaker.token, rooms }));
  },
  busy: event => event.startsWith('{"t":"err"') && event.includes('"code":"UNAVAILABLE"'),
  joined(event) {
    if (!event.startsWith('{"t":"welcome"')) {
      if (event.startsWith('{"t":"err"')) throw new Error(event);
      return false;
    }
    const { rooms } = JSON.parse(event) as { rooms: Record<string, { state: string }> };
    if (Object.values(rooms).some(({ state }) => state !== "live")) throw new Error(event.slice(0, 500));
    return true;
  },
  send: (room, { serial, text }) =>
    `{"t":"send","i":${serial},"room":"${room}","clientId":"${RUN}-${serial}","text":"${text}"}`,
  isDelivery: event => event.startsWith('{"t":"event"') && event.includes('"kind":"message"'),
  refused(event) {
    if (!event.startsWith('{"t":"err"')) return null;
    return (JSON.parse(event) as { i: number }).i;
  },
};
