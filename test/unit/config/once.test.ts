import { onceMiddleware, REMEMBERED } from "../../../config/middlewares/once";

type Handler = (command: string, packet: object) => Promise<boolean>;

function ground() {
  const taken: object[] = [];
  const { transitMessageHandler } = onceMiddleware() as unknown as { transitMessageHandler(next: Handler): Handler };
  const comes = transitMessageHandler((_, packet) => {
    taken.push(packet);
    return Promise.resolve(true);
  });
  return { taken, comes };
}

describe("a packet that comes twice", () => {
  it("is taken once if it is a request", async () => {
    const { taken, comes } = ground();
    const request = (id: string): Promise<boolean> => comes("REQ", { payload: { id } });
    expect([await request("a"), await request("b"), await request("a")]).toEqual([true, true, false]);
    expect(taken).toHaveLength(2);
  });

  it("is taken each time if it is part of a stream, or no request", async () => {
    const { taken, comes } = ground();
    for (const packet of [{ payload: { id: "a", stream: true } }, { payload: { id: "a", stream: true } }])
      expect(await comes("REQ", packet)).toBe(true);
    for (const command of ["RES", "EVENT", "RES", "EVENT"])
      expect(await comes(command, { payload: { id: "b" } })).toBe(true);
    expect(taken).toHaveLength(6);
  });

  it("is remembered for long, not for ever", async () => {
    const { comes } = ground();
    const request = (id: string): Promise<boolean> => comes("REQ", { payload: { id } });
    await request("first");
    for (let n = 0; n < REMEMBERED; n++) await request(`${n}`);
    expect(await request("first")).toBe(false);
    for (let n = 0; n < REMEMBERED; n++) await request(`again ${n}`);
    expect(await request("first")).toBe(true);
  });
});
