import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { SERVICE_NAMES, settingsTable } from "../../../config/variables";
import { METHODS } from "../../../services/core/methods";
import { contractActions } from "../../support/actions";

const root = resolve(__dirname, "../../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const yaml = <T>(file: string): T => parse(read(file), { merge: true }) as T;
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(root.length + 1));

interface Container {
  image?: string;
  environment?: Record<string, string>;
  networks?: string[];
  ports?: string[];
  volumes?: string[];
  stop_grace_period?: string;
  [bound: string]: unknown;
}
interface Compose {
  services: Record<string, Container>;
}

/** Every action of the contract. */
const ACTIONS = new Set(contractActions());
const { services: containers } = yaml<Compose>("docker-compose.yml");
const { services: observers } = yaml<Compose>("docker-compose.observability.yml");

describe("the containers", () => {
  it("are one for every service, which runs that service alone under its own NATS user", () => {
    const found = SERVICE_NAMES.map(name => {
      const { SERVICES, TRANSPORTER } = containers[name]?.environment ?? {};
      return [name, SERVICES, /^nats:\/\/([a-z-]+):\$\{(\w+):\?/.exec(TRANSPORTER ?? "")?.slice(1)];
    });
    expect(found).toEqual(SERVICE_NAMES.map(name => [name, name, [name, passwordOf(name)]]));
  });

  it("set nothing that the configuration does not know", () => {
    const known = new Set(settingsTable().map(({ name }) => name));
    const nodes = [...SERVICE_NAMES].flatMap(name => [containers[name], observers[name]]);
    const unknown = nodes.flatMap(node => Object.keys(node?.environment ?? {}).filter(name => !known.has(name)));
    expect(unknown).toEqual([]);
  });

  it("have ports outside on the proxy alone, and on the loopback only for the dashboards (S60: inside)", () => {
    const open = Object.entries({ ...observers, ...containers }).filter(([, { ports }]) => ports);
    expect(open.map(([name]) => name).sort()).toEqual(["grafana", "proxy"]);
    expect(observers.grafana?.ports?.every(port => port.startsWith("127.0.0.1:"))).toBe(true);
  });

  it("keep the gateways away from the store, and the store's password from the gateways", () => {
    for (const name of ["api-gateway", "ws-gateway", "presence"]) {
      expect(containers[name]?.networks).not.toContain("store");
      expect(containers[name]?.environment?.MONGO_URL).not.toContain("@");
    }
    expect(containers.mongo?.networks).toEqual(["store"]);
  });

  it("run with a read-only root, no capabilities, no new privileges and bounded resources", () => {
    for (const [name, container] of Object.entries(containers)) {
      expect([name, container]).toEqual([
        name,
        expect.objectContaining({
          read_only: true,
          cap_drop: ["ALL"],
          security_opt: ["no-new-privileges:true"],
          logging: expect.objectContaining({ options: expect.objectContaining({ "max-size": expect.any(String) }) }),
          deploy: {
            resources: { limits: expect.objectContaining({ cpus: expect.any(String), memory: expect.any(String) }) },
          },
        }),
      ]);
    }
  });

  it("give a service longer to stop than it takes itself", () => {
    const own = Number(/STOP_TIMEOUT = ([\d_]+)/.exec(read("config/process.ts"))?.[1]?.replaceAll("_", "")) / 1000;
    expect(own).toBeGreaterThan(0);
    for (const name of SERVICE_NAMES)
      expect(Number.parseInt(containers[name]?.stop_grace_period ?? "", 10)).toBeGreaterThan(own);
  });

  it("are as many as a setting of .env says, which the manual lists", () => {
    const numbers = SERVICE_NAMES.map(name => /^\$\{([A-Z_]+):-1\}$/.exec(String(containers[name]?.scale))?.[1]);
    expect(new Set(numbers).size).toBe(SERVICE_NAMES.length);
    const manual = read("docs/deploying.md");
    const listed = SERVICE_NAMES.filter((name, at) => manual.includes(`| \`${numbers[at]}\` | \`${name}\` |`));
    expect(listed).toEqual([...SERVICE_NAMES]);
  });

  it("come from images of one version each", () => {
    const images = Object.values({ ...observers, ...containers }).flatMap(({ image }) => image ?? []);
    const others = images.filter(image => !image.startsWith("rookery:"));
    expect(others.length).toBeGreaterThan(6);
    expect(others.filter(image => !/:v?\d+\.\d+\.\d+(-[a-z]+)?$/.test(image))).toEqual([]);
    expect(read("Dockerfile")).toMatch(/NODE_IMAGE=node:\d+\.\d+\.\d+-bookworm-slim/);
  });

  it("hold no secret in their files: each comes from the environment", () => {
    const files = ["docker-compose.yml", "docker-compose.observability.yml", "Dockerfile", ...filesIn("deploy")];
    const held = files
      .filter(file => !file.includes("deploy/proxy/tls/"))
      .flatMap(file =>
        read(file)
          .split("\n")
          .filter(line =>
            /(_PASSWORD|_SECRET|_KEY|password|:\/\/[\w-]+:[^@\s]+@)\w*["']?\s*[:=]\s*["']?[A-Za-z0-9+/]{8,}/.test(line),
          )
          .map(line => `${file}: ${line.trim()}`),
      );
    expect(held).toEqual([]);
  });

  it("mount files that are there", () => {
    const mounts = Object.values({ ...observers, ...containers }).flatMap(({ volumes }) => volumes ?? []);
    const own = mounts
      .flatMap(mount => /^\.\/([^:]+)/.exec(mount)?.[1] ?? [])
      .filter(path => path !== "deploy/proxy/tls");
    expect(own.length).toBeGreaterThan(5);
    expect(own.filter(path => !existsSync(join(root, path)))).toEqual([]);
  });
});

function passwordOf(user: string): string {
  return `NATS_PASSWORD_${user.toUpperCase().replaceAll("-", "_")}`;
}

describe("the users of NATS", () => {
  const users = Object.fromEntries(
    read("deploy/nats/nats.conf")
      .split(/^ {6}user: /m)
      .slice(1)
      .map(text => {
        const [, name = "", secret = ""] = /^([a-z-]+), password: \$(\w+)/.exec(text) ?? [];
        const [hear = "", tell = ""] = text.split("publish:");
        return [name, { secret, hear: subjects(hear), tell: subjects(tell) }];
      }),
  );

  it("are one for every service and one for the console, each with a password of its own", () => {
    const all = [...SERVICE_NAMES, "repl"];
    expect(Object.keys(users).sort()).toEqual([...all].sort());
    for (const name of all) {
      expect(users[name]?.secret).toBe(passwordOf(name));
      expect(containers.nats?.environment).toHaveProperty(passwordOf(name));
      expect(read("deploy/docker/secrets.sh")).toContain(passwordOf(name).replace("NATS_PASSWORD_", ""));
    }
  });

  it("may ask those that the code of their service calls, and no others (S59: NATS)", () => {
    for (const name of SERVICE_NAMES) {
      const allowed = (users[name]?.tell ?? []).flatMap(
        subject => /^MOL-rookery\.REQ\.([a-z-]+)\.>$/.exec(subject)?.[1] ?? [],
      );
      expect([name, [...new Set(allowed)].sort()]).toEqual([name, calledBy(name)]);
    }
  });

  it("may tell events to the services that listen for them, and hear no others' mail", () => {
    for (const name of SERVICE_NAMES) {
      const told = (users[name]?.tell ?? []).flatMap(subject => /\.EVENT\.([a-z-]+)\.>$/.exec(subject)?.[1] ?? []);
      const listeners = eventsToldBy(name).flatMap(event => SERVICE_NAMES.filter(other => listensFor(other, event)));
      expect([name, told.sort()]).toEqual([name, [...new Set(listeners)].sort()]);
      const own = ["MOL-rookery.*", `MOL-rookery.*.${name}.>`, ...(name === "ws-gateway" ? ["rookery.room.*"] : [])];
      expect(users[name]?.hear).toEqual(own);
    }
  });
});

function subjects(text: string): string[] {
  return [...text.matchAll(/"([^"]+)"/g)].map(match => match[1] as string);
}
const codeOf = (service: string): string =>
  filesIn(`services/${service}`)
    .filter(file => file.endsWith(".ts"))
    .map(read)
    .join("\n");

/** Services whose actions a service's code names, by itself, in the methods of sockets or through the writers of rooms. */
function calledBy(service: string): string[] {
  const code = codeOf(service);
  // The health of the whole asks every node.
  if (code.includes('"node.health"')) return [...SERVICE_NAMES].sort();
  const named = [...code.matchAll(/"([a-z-]+\.[A-Za-z]+)"/g)].map(match => match[1] as string);
  const called = named.filter(name => ACTIONS.has(name)).map(name => name.replace(/\..*/, ""));
  const others = called.filter(name => name !== service);
  if (service !== "auth" && /^ {4}audit: \{|core\/audit"/m.test(code)) others.push("auth");
  if (code.includes("mixins/writers")) others.push("messages");
  if (code.includes("core/methods")) others.push(...METHODS.map(name => name.replace(/\..*/, "")));
  return [...new Set(others)].sort();
}

const eventsToldBy = (service: string): string[] =>
  [...codeOf(service).matchAll(/broadcast\([^,]+, "([a-z.]+)"/g)].map(match => match[1] as string);
const listensFor = (service: string, event: string): boolean =>
  new RegExp(`^ {4}"${event.replace(".", "\\.")}": \\{`, "m").test(codeOf(service));

describe("the dashboard and the alerts", () => {
  const dashboard = read("deploy/observability/grafana/dashboards/rookery.json");
  const alerts = read("deploy/observability/alerts.yml");
  const code = ["config/metrics.ts", "config/metrics.process.ts"].map(read).join("\n");

  it("ask only for metrics that there are", () => {
    const asked = new Set(
      [...(dashboard + alerts).matchAll(/\b(rookery|nodejs|process)_[a-z_]+/g)].map(match => match[0]),
    );
    expect(asked.size).toBeGreaterThan(15);
    const missing = [...asked].filter(name => !code.includes(`"${name.replace(/_(bucket|sum|count)$/, "")}"`));
    expect(missing).toEqual([]);
  });

  it("show every metric of our own", () => {
    const own = [...read("config/metrics.ts").matchAll(/name: "(rookery_[a-z_]+)"/g)].map(match => match[1] as string);
    expect(own.length).toBeGreaterThan(10);
    expect(own.filter(name => !dashboard.includes(name))).toEqual([]);
  });

  it("know every service", () => {
    const [scrape] = yaml<{ scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[] }>(
      "deploy/observability/prometheus.yml",
    ).scrape_configs;
    expect(scrape?.dns_sd_configs[0]).toMatchObject({ names: [...SERVICE_NAMES], port: 3030 });
    expect(SERVICE_NAMES.filter(name => !alerts.includes(`absent(up{job="${name}"})`))).toEqual([]);
    expect(SERVICE_NAMES.filter(name => !observers[name])).toEqual([]);
  });

  it("has one id a panel, and a data source for each that is provisioned", () => {
    const { panels } = JSON.parse(dashboard) as { panels: { id: number; datasource?: { uid: string } }[] };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const stores = yaml<{ datasources: { uid: string }[] }>(
      "deploy/observability/grafana/provisioning/datasources/stores.yml",
    );
    const known = stores.datasources.map(({ uid }) => uid);
    expect(panels.flatMap(({ datasource }) => datasource?.uid ?? []).filter(uid => !known.includes(uid))).toEqual([]);
  });
});
