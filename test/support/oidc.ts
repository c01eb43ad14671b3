import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { PATIENCE, within } from "./eventually";

export const CLIENT = { clientId: "rookery", clientSecret: "a-secret-of-the-provider" };

/** A real OpenID provider in a process of its own. */
export class IdentityProvider {
  private constructor(
    readonly issuer: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(redirectUris: string[]): Promise<IdentityProvider> {
    const script = join(__dirname, "oidc-provider.mjs");
    const child = spawn(process.execPath, [script, JSON.stringify({ ...CLIENT, redirectUris })], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = createInterface({ input: child.stdout });
    const issuer = await within(
      PATIENCE,
      "the identity provider starts",
      new Promise<string>((resolve, reject) => {
        lines.on("line", line => line.startsWith("ready ") && resolve(line.slice(6)));
        child.once("exit", code => reject(new Error(`it ended with ${code}`)));
      }),
    );
    return new IdentityProvider(issuer, child);
  }

  /** Who sits in front of it from now on, and what it says of him; `nobody` declines. */
  async now(sub: string, claims?: Record<string, unknown>): Promise<void> {
    const path = claims ? "/people" : "/now";
    await fetch(this.issuer + path, { method: "POST", body: JSON.stringify({ sub, ...claims }) });
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }
}

/** A browser as far as redirects and cookies go. What is asked of `at` goes to where the server really is. */
export class Browser {
  private readonly jars = new Map<string, Map<string, string>>();
  /** Every address it was sent to. */
  readonly visited: string[] = [];

  constructor(
    private readonly at: string,
    private readonly really: string,
  ) {}

  async fetch(address: string, init: RequestInit = {}): Promise<Response> {
    const { origin } = new URL(address);
    const jar = this.jars.get(origin) ?? new Map<string, string>();
    this.jars.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const where = origin === this.at ? address.replace(this.at, this.really) : address;
    const headers = { ...(init.headers as Record<string, string>), ...(cookie && { cookie }) };
    const answer = await fetch(where, { ...init, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return answer;
  }

  /** Goes where it is sent, to the first page of the server that is no route of its API; there nothing is fetched. */
  async go(address: string): Promise<URL> {
    let next = address;
    for (let step = 0; step < 12; step++) {
      this.visited.push(next);
      const url = new URL(next);
      if (url.origin === this.at && !url.pathname.startsWith("/api/")) return url;
      const answer = await this.fetch(next);
      const location = answer.headers.get("location");
      if (!location) throw new Error(`${answer.status} at ${url.pathname}: ${(await answer.text()).slice(0, 300)}`);
      next = new URL(location, next).href;
    }
    throw new Error("sent around in a circle");
  }
}
