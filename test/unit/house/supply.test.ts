import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  hasInstallScript?: boolean;
  link?: boolean;
}

describe("what others wrote", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> };
  const own = JSON.parse(read("package.json")) as { allowScripts?: Record<string, boolean> };
  const others = Object.entries(packages).filter(([name, { link }]) => name.startsWith("node_modules/") && !link);

  it("is pinned by a hash of its bytes, the binaries of the engine as well (S65: inside)", () => {
    expect(others.length).toBeGreaterThan(100);
    expect(others.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? "")).map(([name]) => name)).toEqual([]);
    expect(others.map(([name]) => name)).toContain("node_modules/uWebSockets.js");
  });

  it("runs nothing while it is installed: CI installs without scripts, and those there are have been refused by name (S65: inside)", () => {
    expect(read(".ci/run")).toMatch(/^npm ci --ignore-scripts/m);
    expect(read("Dockerfile")).not.toMatch(/npm (ci|install)(?![^\n]*--ignore-scripts)/);
    const scripts = others
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([name]) => name.split("node_modules/").at(-1));
    const allowed = Object.entries(own.allowScripts ?? {}).filter(([, allow]) => allow);
    expect(allowed).toEqual([]);
    for (const name of scripts) expect(Object.keys(own.allowScripts ?? {}).join(" ")).toContain(name as string);
  });

  it("the database runs no JavaScript of a query (S30: inside)", () => {
    expect(read("docker-compose.yml")).toMatch(/command: \[mongod, --noscripting/);
    for (const file of ["mixins/db.adapter.mongo.ts", "mixins/mongo/collection.ts"])
      expect(read(file)).not.toMatch(/\$where|\$function|\$accumulator|mapReduce/);
  });
});
