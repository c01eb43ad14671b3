import { version } from "../../config/root";
import type { Limits } from "../core/limits";
import { pathParameters, ROUTES } from "./routes";
import { TAGS, type Route } from "./routes/route";
import { QUERY, schemasOf } from "./schemas";
import type { Schema } from "./schemas/parts";

/** The OpenAPI 3.1 document, made from the table of routes. */
export function openApiDocument(limits: Limits): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) {
    const path = (paths[`/api${route.path}`] ??= {});
    path[route.method.toLowerCase()] = operation(route, limits);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Rookery",
      version,
      description:
        "Chat backend. Errors are problem documents (RFC 9457) whose `code` is the contract. " +
        "What goes over the sockets: [/api/docs/sockets](/api/docs/sockets).",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: TAGS.map(name => ({ name })),
    paths,
    components: {
      schemas: schemasOf(limits),
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
      headers: {
        "RateLimit-Limit": header("Requests allowed in the window."),
        "RateLimit-Remaining": header("Requests left in the window."),
        "RateLimit-Reset": header("Seconds until the window ends."),
        "Retry-After": header("Seconds after which a retry may work."),
        "X-Request-Id": { description: "Name of this request in the logs.", schema: { type: "string" } },
      },
      responses: { Problem: { description: "Refused.", headers: headers("Retry-After"), content: problem } },
    },
  };
}

const header = (description: string) => ({ description, schema: { type: "integer" } });
const ref = (kind: string, name: string) => ({ $ref: `#/components/${kind}/${name}` });
const headers = (...more: string[]) =>
  Object.fromEntries(
    ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-Id", ...more].map(name => [
      name,
      ref("headers", name),
    ]),
  );
const problem = { "application/problem+json": { schema: ref("schemas", "Problem") } };
const bytes = { "application/octet-stream": {} };

function operation(route: Route, limits: Limits): Record<string, unknown> {
  const parameters = [
    ...pathParameters(route).map(name => ({ name, in: "path", required: true, schema: { type: "string" } })),
    ...(route.query ?? []).map(name => ({ name, in: "query", ...QUERY[name] })),
  ];
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    security: { none: [], user: [{ token: [] }], optional: [{ token: [] }, {}], either: [{ token: [] }, {}] }[
      route.auth
    ],
    ...(parameters.length > 0 && { parameters }),
    ...requestBody(route, limits),
    responses: {
      [route.status]: success(route, DESCRIPTIONS[route.status]),
      ...(route.repeat !== undefined && { 200: success(route, route.repeat) }),
      ...(route.to === "health" && { 503: success(route, "Something needed is away.") }),
      "4XX": ref("responses", "Problem"),
      "5XX": ref("responses", "Problem"),
    },
  };
}

const DESCRIPTIONS: Record<Route["status"], string> = {
  200: "Done.",
  201: "Made.",
  202: "Taken.",
  204: "Done.",
  302: "Elsewhere.",
};

/** Unique: actions that serve channels and conversations have a path for each. */
const operationId = (route: Route): string =>
  `${route.method.toLowerCase()}${route.path.replace(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`;

function requestBody(route: Route, limits: Limits): Record<string, unknown> {
  if (route.bytes === "upload") {
    const file = { type: "string", contentMediaType: "application/octet-stream" };
    const properties = { name: { type: "string", description: "Before the file." }, file };
    return {
      requestBody: {
        required: true,
        description: `At most ${limits.file} bytes. Other parts are passed over.`,
        content: {
          "multipart/form-data": { schema: { type: "object", required: ["file"], properties } },
          ...bytes,
        },
      },
    };
  }
  if (!route.body) return {};
  const required = !["Logout", "Guest", "AccountInvite"].includes(route.body);
  return { requestBody: { required, content: { "application/json": { schema: ref("schemas", route.body) } } } };
}

function success(route: Route, description: string): Record<string, unknown> {
  const content = route.answer
    ? { "application/json": { schema: ref("schemas", route.answer) } }
    : route.bytes
      ? { download: bytes, lines: { "application/x-ndjson": {} }, upload: undefined }[route.bytes]
      : OWN_CONTENT[route.to];
  return { description, headers: headers(), ...(route.status !== 204 && content && { content }) };
}

const OWN_CONTENT: Partial<Record<Route["to"], Schema>> = {
  openapi: { "application/json": { schema: { type: "object" } } },
  asyncapi: { "application/json": { schema: { type: "object" } } },
  docs: { "text/html": {} },
  "socket-docs": { "text/html": {} },
  "docs-asset": bytes,
};
