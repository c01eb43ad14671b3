/** Where the sockets of each wire come in, on the one origin. */
export const PATHS = { websocket: "/ws", signalr: "/hubs/chat", socketio: "/socket.io", stream: "/stream" } as const;
