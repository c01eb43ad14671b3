import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Child } from "./child";
import { Daemon, type OnDeath } from "./daemon";

export interface NginxOptions {
  port: number;
  /** Ports of the ws-gateways and of the api-gateways. */
  sockets: readonly number[];
  api: readonly number[];
  /** For its configuration and what it spools. */
  dir: string;
  onLine?: (line: string) => void;
  onDeath?: OnDeath;
}

const INSTANCE = "/-/instance";

/** The proxy that makes one origin of the gateways, by the rules of paths that deploy/proxy has. */
export class Nginx extends Daemon {
  /** Told at INSTANCE: whoever else listens on the port does not know it. */
  private readonly instance = randomUUID();

  constructor(private readonly options: NginxOptions) {
    super("nginx", options.onDeath);
  }

  /** Whether it is this proxy that answers on the port. */
  async answers(): Promise<boolean> {
    try {
      const url = `http://127.0.0.1:${this.options.port}${INSTANCE}`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      return (await answer.text()) === this.instance;
    } catch {
      return false;
    }
  }

  protected launch(): Child {
    const { dir, onLine } = this.options;
    mkdirSync(dir, { recursive: true });
    const file = join(dir, "nginx.conf");
    writeFileSync(file, configuration(this.options, this.instance));
    return Child.start(this.name, executable(), ["-p", dir, "-c", file], { onLine });
  }

  protected async ask(): Promise<void> {
    if (!(await this.answers())) throw new Error("the port does not answer as this proxy");
  }
}

function executable(): string {
  const path = [...(process.env.PATH ?? "").split(":"), "/usr/sbin"].map(dir => join(dir, "nginx")).find(existsSync);
  if (!path) throw new Error("nginx is not installed: run npm run servers");
  return path;
}

/** One process: nothing is left over when it is killed. A gateway that is away is asked again at the next request. */
const configuration = ({ port, sockets, api, dir }: NginxOptions, instance: string): string => `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  server_tokens off;
${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(name => `  ${name}_temp_path ${dir}/${name};`).join("\n")}
  client_max_body_size 0;
  large_client_header_buffers 4 32k;
  proxy_http_version 1.1;
  proxy_connect_timeout 2s;
  proxy_read_timeout 1h;
  proxy_send_timeout 1h;
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header Forwarded "";
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
${upstream("sockets", sockets)}
${upstream("api", api)}
  server {
    listen 127.0.0.1:${port};
    # The proxy cannot know how far a request came whose gateway did not answer.
    error_page 502 504 = @unknown;
    # What it cannot read it refuses itself, in the words of the product.
    error_page 400 414 494 /-/bad;
    location / { proxy_pass http://api; }
    location ~ ^/(ws|hubs|socket\\.io|stream)(/|$) { proxy_pass http://sockets; }
    location = ${INSTANCE} { return 200 "${instance}"; }
    location = /-/bad {
      internal;
      default_type application/problem+json;
      return 400 '{"type":"about:blank","title":"Bad request","status":400,"code":"BAD_REQUEST"}';
    }
    location @unknown {
      default_type application/problem+json;
      return 504 '{"type":"about:blank","title":"No answer","status":504,"code":"UNKNOWN_OUTCOME"}';
    }
  }
}
`;

const upstream = (name: string, ports: readonly number[]): string =>
  `  upstream ${name} {\n${ports.map(port => `    server 127.0.0.1:${port} max_fails=0;\n`).join("")}  }`;
