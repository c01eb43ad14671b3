import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../../deploy/local/servers/cache";
import { say, Stage, type Client } from "../support/client";
import { PATIENCE } from "../support/eventually";
import { ROOT, startServer, type Server } from "../support/server";

/** What docs/clients.md shows is run as it stands there. */
describe("the examples of docs/clients.md", () => {
  let server: Server;
  let stage: Stage;

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
  });
  afterAll(() => stage.end());

  const examples = new Map(
    [...readFileSync(join(ROOT, "docs", "clients.md"), "utf8").matchAll(/^```(\w+) (\w+)\n(.*?)^```$/gms)].map(
      ([, language, name, code]) => [`${language} ${name}`, code as string],
    ),
  );

  /** What it printed, once it has ended by itself. */
  async function run(
    command: string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ printed: string; client: Client; room: string }> {
    const client = await stage.user("ann");
    const room = await stage.channel([client]);
    await say(client, room, "was there before");
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...env, URL: server.url, TOKEN: client.token as string, ROOM: room },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PATIENCE,
    });
    let printed = "";
    let complained = "";
    child.stdout.on("data", part => (printed += part));
    child.stderr.on("data", part => (complained += part));
    const code = await new Promise(resolve => child.once("close", resolve));
    expect({ code, complained }).toEqual({ code: 0, complained: expect.not.stringContaining("Error") });
    return { printed, client, room };
  }

  const node = (code: string): string[] => [
    process.execPath,
    ...(Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-websocket"] : []),
    "--input-type=module",
    "-e",
    code,
  ];

  test("are all run here", () => {
    expect([...examples.keys()]).toEqual(["js signalr", "js socketio", "js native", "python native", "sh stream"]);
  });

  test.each([
    ["js signalr", "hello over SignalR\n"],
    ["js socketio", "hello over Socket.IO\n"],
    ["js native", "hello over a WebSocket\n"],
  ])("%s", async (name, expected) => {
    const { printed, client, room } = await run(node(examples.get(name) as string));
    expect(printed).toBe(expected);
    const { items } = (await client.get(`/api/channels/${room}/messages?limit=1`)).body;
    expect(items[0].text).toBe(expected.trim());
  });

  test("sh stream", async () => {
    const missing = ["curl", "jq"].filter(name => spawnSync(name, ["--version"]).error);
    if (missing.length > 0) return console.log(`sh stream: not run, there is no ${missing.join(" and no ")} here`);
    expect((await run(["bash", "-c", examples.get("sh stream") as string])).printed).toBe("hello over HTTP\n");
  });

  test("python native", async () => {
    const library = pythonLibrary("websockets==13.1");
    if (library === null)
      return console.log("python native: not run, there is no Python here that could get websockets");
    const { printed } = await run(["python3", "-c", examples.get("python native") as string], { PYTHONPATH: library });
    expect(printed).toBe("hello from Python\n");
  });
});

/** A folder with the library, installed once; null where that is not possible. */
function pythonLibrary(name: string): string | null {
  const folder = join(CACHE, "python");
  if (existsSync(join(folder, "websockets"))) return folder;
  try {
    execFileSync("python3", ["-m", "pip", "install", "-q", "--target", folder, name], {
      stdio: "ignore",
      timeout: 60_000,
    });
    return folder;
  } catch {
    return null;
  }
}
