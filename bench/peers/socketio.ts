import { createRequire } from "node:module";

/** `socketio.ts PORT MODULE`: Socket.IO over WebSocket alone. No dependency of the product, so its folder is named. */
interface IoSocket {
  join(room: string): void;
  on(event: "join", listener: (room: string, answer: () => void) => void): void;
  on(event: "message", listener: (message: { room: string }) => void): void;
}
interface IoServer {
  on(event: "connection", listener: (socket: IoSocket) => void): void;
  to(room: string): { emit(event: string, message: object): void };
}
type IoModule = { Server: new (port: number, options: object) => IoServer };

const { Server } = createRequire(__filename)(process.argv[3] as string) as IoModule;
const io = new Server(Number(process.argv[2]), {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
});
io.on("connection", socket => {
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer();
  });
  socket.on("message", message =>
    io.to(message.room).emit("message", { ...message, senderId: "user", createdAt: Date.now() }),
  );
});
console.log("ready");
