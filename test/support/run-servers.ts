import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startMongo, startNats } from "../../deploy/local/servers";

export type ServerName = "nats" | "mongo";

interface Started {
  url: string;
  stop(): Promise<void>;
}

/**
 * The servers that the files of one run of jest share, started when the first asks. They belong to jest's own process;
 * its workers ask over HTTP at `ROOKERY_RUN_SERVERS`.
 */
export class RunServers {
  private readonly started = new Map<string, Promise<Started>>();

  private constructor(private readonly server: Server) {}

  /** The variable that names a server from outside, which then is used. */
  static variable(name: ServerName): "NATS_URL" | "MONGO_URL" {
    return name === "nats" ? "NATS_URL" : "MONGO_URL";
  }

  static async listen(): Promise<RunServers> {
    const server = createServer();
    const run = new RunServers(server);
    server.on("request", (request, response) => {
      run.urlOf(request.url?.slice(1) as ServerName).then(
        url => response.end(url),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    process.env.ROOKERY_RUN_SERVERS = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return run;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    for (const started of this.started.values()) await (await started.catch(() => null))?.stop();
  }

  private async urlOf(name: ServerName): Promise<string> {
    const start = { nats: startNats, mongo: startMongo }[name];
    if (!start) throw new Error(`no server named ${name}`);
    let started = this.started.get(name);
    if (!started) this.started.set(name, (started = start()));
    return (await started).url;
  }
}
