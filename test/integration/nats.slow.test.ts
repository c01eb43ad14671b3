import { connect } from "nats";
import { NatsLink } from "../../mixins/nats/link";
import { natsOptions } from "../../mixins/nats/options";
import { afterFile } from "../support/cleanup";
import { eventually } from "../support/eventually";
import { describeNats, natsUrl } from "../support/servers";
import { TcpProxy } from "../support/tcp-proxy";

const quiet = { info: () => undefined, warn: () => undefined };

describeNats("a NATS that was too slow to answer", () => {
  let wire: TcpProxy;
  let url: string;

  beforeAll(async () => {
    url = await natsUrl();
  });
  beforeEach(async () => {
    wire = await TcpProxy.start(new URL(url).host);
    afterFile(() => wire.stop());
  });

  /** Answers again once an attempt was given up, and takes the sockets away that are left from it. */
  async function slowFor(then: () => Promise<unknown>): Promise<void> {
    const before = wire.taken;
    await eventually("an attempt is given up for another", () => wire.taken >= before + 2, Boolean);
    wire.answers("pass");
    await then();
    await eventually("one connection is left", () => wire.connections === 1, Boolean);
  }

  /** What the link hears, all of it once. */
  async function hears(link: NatsLink): Promise<string[]> {
    const subject = `slow.${process.pid}.${wire.port}`;
    const heard: string[] = [];
    link.connection.subscribe(subject, { callback: (_, message) => void heard.push(message.string()) });
    await link.connection.flush();
    const other = await connect(natsOptions(url, "other"));
    try {
      for (const text of ["once", "end"]) other.publish(subject, text);
      await eventually("all is heard", () => heard.includes("end"));
    } finally {
      await other.close();
    }
    return heard;
  }

  it("has one connection of a link that came back, and what is said comes once", async () => {
    const link = await NatsLink.open(`nats://${wire.address}`, "slow", quiet);
    afterFile(() => link.close());
    wire.answers("hold");
    wire.cut();
    await slowFor(() => eventually("it is up", () => link.up));
    expect(await hears(link)).toEqual(["once", "end"]);
  }, 90_000);

  it("has one connection of a link that came late", async () => {
    wire.answers("hold");
    const opened = NatsLink.open(`nats://${wire.address}`, "late", quiet);
    void opened.then(link => afterFile(() => link.close()));
    await slowFor(() => opened);
    expect(await hears(await opened)).toEqual(["once", "end"]);
  }, 90_000);

  it("is dialled anew when it reads nothing any more, whatever has not left yet", async () => {
    const link = await NatsLink.open(`nats://${wire.address}`, "full", quiet);
    afterFile(() => link.close());
    wire.requests("hold");
    wire.answers("hold");
    const before = wire.taken;
    // More than the kernel's buffers hold: the last of it waits for whoever reads.
    for (let sent = 0; sent < 32; sent++) link.connection.publish("slow.full", new Uint8Array(1_000_000));
    await eventually("another is dialled", () => wire.taken > before, Boolean);
    wire.requests("pass");
    wire.answers("pass");
    await eventually("it is up", () => link.up, Boolean);
  }, 90_000);
});
