import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { wordOf } from "./words";

/** `ws.ts PORT`: the library `ws` and a loop over the members of a room. */
const rooms = new Map<string, Set<WebSocket>>();

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: false });
server.once("listening", () => console.log("ready"));
server.on("connection", socket => {
  const own = new Set<Set<WebSocket>>();
  socket.on("message", (said: RawData) => {
    const word = wordOf((said as Buffer).toString("latin1"));
    const room = rooms.get(word.room) ?? new Set();
    if (word.type === "send") return room.forEach(member => member.send(word.text));
    rooms.set(word.room, room.add(socket));
    own.add(room);
    socket.send("ok");
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => own.forEach(room => room.delete(socket)));
});
