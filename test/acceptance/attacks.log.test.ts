import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { describeEmbedded, startServer, type Server } from "../support/server";
import { speaker, SPEAKERS } from "../support/speakers";
import { temporaryFolder } from "../support/temp";

/** Ends the line, begins one of ours, clears a terminal, turns its direction. */
const FORGED =
  '\r\n{"level":"info","message":"canary"}\n10:00:00.000 INFO  canary: signed in\u001b[2J\u009b1m\u202e\u2028';

describeEmbedded("who wants to write our log", () => {
  let server: Server;
  let stage: Stage;
  let eve: Client;
  const file = join(temporaryFolder(), "rookery.log");

  beforeAll(async () => {
    server = await startServer({ env: { LOG_FORMAT: "json", LOG_LEVEL: "trace", LOG_FILE: file } });
    stage = await Stage.on(server);
    eve = await stage.user("eve");
  });

  test("gets no line of his own into it, whatever door he says it at (S62: REST, native, SignalR, Socket.IO, stream, files)", async () => {
    const room = await stage.channel([eve]);
    const { nobody } = stage;
    const encoded = encodeURIComponent(FORGED);
    const json = { "content-type": "application/json" };
    // Bytes that a client of ours would not let into a header come in as Latin-1.
    const header = "canary\u009b1m\u00a0\u0085x";
    for (const name of ["x-request-id", "user-agent", "referer"])
      await nobody.raw("POST", "/api/auth/login", JSON.stringify({ username: FORGED, password: FORGED }), {
        ...json,
        [name]: header,
      });
    await nobody.raw("POST", "/api/auth/login", FORGED, json);
    for (const path of [`/api/${encoded}`, `/api/users/${encoded}`, `/api/users?${encoded}=1`, `/${encoded}`])
      await eve.get(path);
    await eve.patch("/api/users/me", { displayName: FORGED, [FORGED]: 1 });
    await stage.admin.patch(`/api/channels/${room}`, { name: FORGED, topic: FORGED });
    await eve.raw("POST", `/api/files?name=${encoded}`, "words", { "content-type": header });
    const form = new FormData();
    form.set(FORGED, FORGED);
    form.set("file", new Blob(["words"], { type: "text/plain" }), FORGED);
    await eve.raw("POST", "/api/files", form);
    for (const door of SPEAKERS) {
      const one = await speaker(door, server.url, eve);
      await one.send(room, { text: FORGED, clientId: FORGED, [FORGED]: FORGED });
      await one.send(FORGED, FORGED);
      await one.join(FORGED);
      await one.change("edit", FORGED, { text: FORGED });
      await one.call(FORGED, { [FORGED]: FORGED });
      await one.close();
    }
    await nobody.raw("GET", `/stream?rooms=${encoded}&session=${encoded}`);
    await nobody.raw("POST", `/hubs/chat/negotiate?id=${encoded}`);
    await nobody.raw("GET", `/socket.io/?EIO=4&transport=${encoded}&sid=${encoded}`);
    expect(new Set(await server.end())).toEqual(new Set([0]));

    const written = await eventually(
      "the log file",
      () => readFileSync(file, "utf8"),
      text => text.length > 1_000,
    );
    for (const [where, text] of Object.entries({ output: server.output, file: written })) {
      expect([where, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/.exec(text)?.[0]]).toEqual([
        where,
        undefined,
      ]);
      for (const line of text.split("\n").filter(one => one !== "" && !one.startsWith("ready http://"))) {
        const record = JSON.parse(line) as { time?: string; message?: string; requestId?: string };
        expect(record).toMatchObject({ time: expect.any(String), level: expect.any(String) });
        expect(record.message).not.toBe("canary");
        if (record.requestId !== undefined) expect(record.requestId).toMatch(/^[A-Za-z0-9-]{1,64}$/);
      }
    }
  });
});
