import { whereabouts } from "../../../services/ws-gateway/whereabouts";

/** Presence nodes, one of which may be away; any of them answers who asks for none. */
function ground(nodes: string[], away?: string) {
  const asked: (string | undefined)[] = [];
  const look = whereabouts({
    nodes: () => nodes,
    ask: async (users, { nodeID }) => {
      asked.push(nodeID);
      if (nodeID !== undefined && nodeID === away) throw new Error("away");
      return Object.fromEntries(users.map(user => [user, "online" as const]));
    },
  });
  return { asked, look };
}

describe("whereabouts", () => {
  const ONLINE = [{ user: "ann", status: "online" }];

  it("are asked of the node that tells of changes: what another one says may be older than what was told", async () => {
    const { asked, look } = ground(["a", "b"]);
    expect(await look(["ann"])).toEqual(ONLINE);
    expect(asked).toEqual(["a"]);
  });

  it("are told by any node where that one does not answer, or is not known", async () => {
    const lost = ground(["a", "b"], "a");
    expect(await lost.look(["ann"])).toEqual(ONLINE);
    expect(lost.asked).toEqual(["a", undefined]);
    const none = ground([]);
    expect(await none.look(["ann"])).toEqual(ONLINE);
    expect(none.asked).toEqual([undefined]);
  });

  it("of nobody are asked of nobody", async () => {
    const { asked, look } = ground(["a"]);
    expect(await look([])).toEqual([]);
    expect(asked).toEqual([]);
  });
});
