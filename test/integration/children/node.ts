import { createServer, type AddressInfo } from "node:net";
import type { Context, Service, ServiceSchema } from "moleculer";
import { runProcess } from "../../../config/process";
import { platformOf } from "../../../config/platform";

/** A node of one small service, as a process: the first argument says how it behaves. */
const say = (line: string): void => console.log(line);
const open = { auth: "anyone", visibility: "published" } as const;

const BEHAVIOUR: Record<string, ServiceSchema[]> = {
  good: [{ name: "good", actions: { ok: { ...open, handler: () => "ok" } } }],

  undeclared: [{ name: "careless", actions: { open: { handler: () => "ok" } } }],
  leaky: [{ name: "careless", actions: { inner: { auth: "internal", visibility: "published", handler: () => "ok" } } }],

  crowded: [
    {
      name: "crowded",
      async started() {
        const listen = (port: number): Promise<number> =>
          new Promise((resolve, reject) => {
            const server = createServer().once("error", reject);
            server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
          });
        await listen(await listen(0));
      },
    },
  ],
  mistaken: [
    {
      name: "mistaken",
      started: () => Promise.reject(Object.assign(new Error("the folder is in use"), { expected: true })),
    },
  ],
  broken: [{ name: "broken", started: () => Promise.reject(new TypeError("a defect, password=canary")) }],
  halfway: [
    { name: "opened", started: () => say("opened"), stopped: () => say("closed again") },
    { name: "mistaken", dependencies: ["opened"], started: () => Promise.reject(new Error("late")) },
  ],

  made: [
    {
      name: "made",
      started(this: Service) {
        platformOf(this.broker).madeAdminPassword = "made-up-password";
        platformOf(this.broker).origin.port = 4711;
      },
    },
  ],

  ordered: [
    ...["messages", "rooms"].map(name => ({ name, stopped: () => say(`${name} stopped`) })),
    {
      name: "ws-gateway",
      async stopped() {
        say("door stops accepting");
        await new Promise(resolve => setTimeout(resolve, 100));
        say("door stopped");
      },
    },
  ],
  busy: [
    {
      name: "busy",
      actions: {
        work: {
          ...open,
          async handler() {
            say("working");
            await new Promise(resolve => setTimeout(resolve, 300));
            say("worked");
          },
        },
      },
      started(this: Service) {
        setTimeout(() => void (this.broker as unknown as Context).call("busy.work"), 50);
      },
    },
  ],
  hung: [{ name: "hung", stopped: () => new Promise(() => undefined) }],

  rejecting: [
    { name: "rejecting", started: () => void setTimeout(() => void Promise.reject(new Error("forgotten")), 50) },
  ],
  throwing: [
    {
      name: "throwing",
      started: () =>
        void setTimeout(() => {
          throw new Error("uncaught");
        }, 50),
    },
  ],
};

void runProcess(
  broker => {
    for (const schema of BEHAVIOUR[process.argv[2] ?? "good"] ?? []) broker.createService(schema);
  },
  { stopTimeout: Number(process.argv[3] ?? 14_000) },
);
