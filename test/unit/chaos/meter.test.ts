import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Meter } from "../../chaos/meter";

describe("counters of a run", () => {
  let server: Server;
  let text = "";
  let url: string;

  beforeAll(async () => {
    server = createServer((_, response) => response.end(text)).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  test("go on over the lives of a process, and are added up over processes", async () => {
    const meter = new Meter([url, `${url}?other`]);
    for (const value of [5, 7, 2]) {
      text = `# HELP x\nrookery_acks_total{node="n-${value}",outcome="ok"} ${value}\nrookery_queue_length 9\n`;
      await meter.look();
    }
    // 5, then 2 more, then a new life that has counted 2; two processes.
    expect(meter.totals).toEqual({ 'rookery_acks_total{outcome="ok"}': 18 });
  });

  test("what does not answer counts nothing", async () => {
    const meter = new Meter(["http://127.0.0.1:9/metrics"]);
    await meter.look();
    expect(meter.totals).toEqual({});
  });
});
