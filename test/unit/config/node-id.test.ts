import { ServiceBroker } from "moleculer";
import { nodeIdMiddleware } from "../../../config/middlewares/node-id";

/** A node whose service leaves when told, and whether it was ended. */
function ground() {
  let leave = (): void => undefined;
  const left = new Promise<void>(resolve => (leave = resolve));
  const node = new ServiceBroker({
    nodeID: "one",
    logger: false,
    transporter: "Fake",
    middlewares: [nodeIdMiddleware()],
  });
  node.createService({ name: "slow", stopped: () => left });
  const ended = jest.spyOn(node, "fatal").mockImplementation(() => undefined as never);
  const transit = node.transit as unknown as { messageHandler(command: string, packet: object): Promise<unknown> };
  const hears = (instanceID: string) =>
    transit.messageHandler("INFO", { payload: { ver: "5", sender: "one", instanceID, services: [] } });
  return { node, leave, ended, hears };
}

describe("a node that hears of another by its own id", () => {
  it("ends before its services start, and stays once it is in service", async () => {
    jest.spyOn(console, "error").mockImplementation(() => undefined);
    const { node, leave, ended, hears } = ground();
    await hears("other");
    expect(ended).toHaveBeenCalledTimes(1);
    await node.start();
    await hears("other");
    await hears(node.instanceID);
    expect(ended).toHaveBeenCalledTimes(1);
    leave();
    await node.stop();
  });

  it("answers what it has taken while it stops", async () => {
    const { node, leave, ended, hears } = ground();
    await node.start();
    const stopped = node.stop();
    await hears("other");
    expect(ended).not.toHaveBeenCalled();
    leave();
    await stopped;
  });
});
