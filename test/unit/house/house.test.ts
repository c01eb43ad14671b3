import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(__dirname, "../../..");
const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root, encoding: "utf8" }).split(
  "\n",
);
const sources = tracked.filter(file => /^(services|mixins|config)\/.*\.ts$/.test(file) && existsSync(join(root, file)));

/** What a file imports from inside the project, as paths from the root. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = [...text.matchAll(/(?:from|import\(|require\()\s*["'](\.[^"']+)["']/g)].map(
    match => match[1] as string,
  );
  return found.map(path => relative(root, resolve(root, dirname(file), path)));
}

describe("the house", () => {
  it("has everything that ARCHITECTURE.md names", () => {
    const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    const named = [...text.matchAll(/`((?:services|mixins|config|clients|test|docs|bench)\/[^`\s]*)`/g)].map(
      match => match[1] as string,
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(path => !existsSync(join(root, path)))).toEqual([]);
  });

  it("has a place in ARCHITECTURE.md for every service", () => {
    const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    const services = readdirSync(join(root, "services")).filter(name => name !== "core");
    expect(services.filter(name => !text.includes(`\`services/${name}/`))).toEqual([]);
  });

  it("has no service that imports a sibling, and a kernel that imports nobody", () => {
    expect(sources.length).toBeGreaterThan(50);
    const wrong = sources.flatMap(file => {
      const own = /^services\/([^/]+)\//.exec(file)?.[1];
      return importsOf(file)
        .filter(path => {
          const other = /^services\/([^/]+)/.exec(path)?.[1];
          if (own === "core") return other !== "core";
          return other !== undefined && other !== "core" && other !== own;
        })
        .map(path => `${file} -> ${path}`);
    });
    expect(wrong).toEqual([]);
  });

  it("keeps Moleculer out of the rules: only schemas, middlewares, transports and the contract's types know it", () => {
    const schema =
      /\.service\.ts$|^config\/|\/contract\.ts$|\/moleculer\.d\.ts$|adapter\.|transporter\.ts$|^mixins\/streams\/|^services\/api-gateway\/|^services\/\w+\/(actions\/|parts\.ts$)/;
    const wrong = sources.filter(
      file => !schema.test(file) && /from ["']moleculer/.test(readFileSync(join(root, file), "utf8")),
    );
    expect(wrong).toEqual([]);
  });

  it("reads the environment in one place", () => {
    const code = (file: string): string => readFileSync(join(root, file), "utf8").replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
    // Setting a variable for a native library is not reading one.
    const wrong = sources.filter(file => /process\.env(?!\[?[.\w"]+\]? \??\??= )/.test(code(file)));
    expect(
      wrong.filter(
        file => !/^config\/((repl\/)?start|backup\/(backup|restore)|import\/import|process|otel)\.ts$/.test(file),
      ),
    ).toEqual([]);
  });
});
