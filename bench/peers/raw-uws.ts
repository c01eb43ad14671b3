import { loadNative } from "../../services/ws-gateway/engine.uws.native";
import { wordOf } from "./words";

/** `raw-uws.ts PORT`: the product's own socket library and nothing else. It stores nothing and knows nobody: the limit. */
async function main(port: number): Promise<void> {
  const native = await loadNative();
  if (typeof native === "string") throw new Error(native);
  const app = native.App();
  app.ws("/*", {
    maxPayloadLength: 64 * 1024,
    maxBackpressure: 64 * 1024 * 1024,
    closeOnBackpressureLimit: true,
    idleTimeout: 120,
    maxLifetime: 0,
    sendPingsAutomatically: true,
    compression: 0,
    upgrade: (res, req, context) => res.upgrade({}, req.getHeader("sec-websocket-key"), "", "", context),
    open: () => undefined,
    drain: () => undefined,
    close: () => undefined,
    message(socket, bytes) {
      const word = wordOf(Buffer.from(bytes).toString("latin1"));
      if (word.type === "send") return void app.publish(word.room, word.text, false, false);
      socket.subscribe(word.room);
      socket.send("ok", false, false);
    },
  });
  app.listen("127.0.0.1", port, 1, listener => {
    if (listener) console.log("ready");
    else throw new Error(`port ${port} is taken`);
  });
}

main(Number(process.argv[2])).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
