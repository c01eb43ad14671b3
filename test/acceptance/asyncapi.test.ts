import { Stage } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { CALLS, HUB_EVENTS } from "../../services/core/calls";
import { FRAMES } from "../../services/core/protocol";

/** The document of the sockets: whole, with every reference in it, and made of what checks the frames. */
describe("/api/asyncapi.json", () => {
  let stage: Stage;
  let document: Body;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    const answer = await stage.nobody.get("/api/asyncapi.json");
    expect(answer.status).toBe(200);
    document = answer.body;
  });
  afterAll(() => stage.end());

  const at = (pointer: string): unknown =>
    pointer
      .slice(2)
      .split("/")
      .reduce<unknown>(
        (value, key) => (value as Body | undefined)?.[key.replaceAll("~1", "/").replaceAll("~0", "~")],
        document,
      );
  const references = (value: unknown): string[] => {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => (key === "$ref" ? [inner as string] : references(inner)));
  };

  test("is AsyncAPI 3, and every reference in it leads somewhere", () => {
    expect(document.asyncapi).toBe("3.0.0");
    const all = references(document);
    expect(all.length).toBeGreaterThan(50);
    expect(all.filter(reference => at(reference) === undefined)).toEqual([]);
  });

  test("has every frame, every call of the hub and everything the hub calls", () => {
    const { native, hub, socketio } = document.channels;
    for (const frame of Object.keys(FRAMES)) expect(native.messages).toHaveProperty([`client.${frame}`]);
    for (const { hub: name } of Object.values(CALLS)) expect(hub.messages).toHaveProperty([`client.${name}`]);
    for (const name of Object.keys(HUB_EVENTS)) expect(hub.messages).toHaveProperty([`server.${name}`]);
    for (const name of Object.keys(CALLS)) expect(socketio.messages).toHaveProperty([`client.${name}`]);
    expect(native.messages["client.sub"].payload).toMatchObject({
      required: ["t", "rooms"],
      properties: { rooms: { type: "array", minItems: 1 }, mode: { enum: ["active", "passive"] } },
    });
  });
});
