import { execFileSync } from "node:child_process";
import { projectRoot } from "../../../config/root";
import { openApiDocument } from "../../../services/api-gateway/openapi";
import { ROUTES } from "../../../services/api-gateway/routes";
import { LIMITS } from "../../../services/core/limits";

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string }[];
}
const document = JSON.parse(JSON.stringify(openApiDocument(LIMITS))) as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};

/** The validator is an ES module, which tests can only load in a process of its own. */
function validate(input: unknown): { valid: boolean; errors?: unknown } {
  const script = `
    import { text } from "node:stream/consumers";
    import { Validator } from "@seriousme/openapi-schema-validator";
    const { valid, errors } = await new Validator().validate(JSON.parse(await text(process.stdin)));
    console.log(JSON.stringify({ valid, errors }));`;
  const options = { input: JSON.stringify(input), cwd: projectRoot, encoding: "utf8" } as const;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], options)) as {
    valid: boolean;
  };
}

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1", () => {
    expect(validate(document)).toEqual({ valid: true });
    expect(document.openapi).toBe("3.1.0");
  });

  it("is refused by the same validator once it is broken", () => {
    const broken = { ...document, paths: { "/api/x": { get: { responses: { 200: {} } } } } };
    expect(validate(broken).valid).toBe(false);
  });

  it("describes every route and nothing else", () => {
    const described = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map(method => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} /api${path}`).sort());
  });

  it("names every operation once and declares every parameter of a path", () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.values(item).map(operation => ({ path, operation })),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, operation } of operations) {
      const declared = (operation.parameters ?? [])
        .filter(parameter => parameter.in === "path")
        .map(({ name }) => name);
      expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    }
  });

  it("refers only to components it has", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      ([, path]) => path as string,
    );
    expect(references.length).toBeGreaterThan(50);
    for (const reference of new Set(references)) {
      const found = reference
        .split("/")
        .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], document);
      expect([reference, typeof found]).toEqual([reference, "object"]);
    }
  });

  it("tells the configured limits, not the defaults", () => {
    const { components } = JSON.parse(JSON.stringify(openApiDocument({ ...LIMITS, text: 17 }))) as typeof document;
    expect(components.schemas["EditMessage"]).toMatchObject({ properties: { text: { maxLength: 17 } } });
  });
});
