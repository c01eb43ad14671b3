import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** The page that shows the OpenAPI document: Swagger UI from our own disk, without a request to anybody else. */
export interface Asset {
  type: string;
  content: string | Buffer;
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Rookery API</title>
    <link rel="icon" href="/api/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/api/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="docs"></div>
    <script src="/api/docs/swagger-ui-bundle.js"></script>
    <script src="/api/docs/start.js"></script>
  </body>
</html>
`;

const START = `window.SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
`;

const TYPES: Record<string, string> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

export const docsPage = (): Asset => ({ type: "text/html; charset=utf-8", content: PAGE });

/** A part of the page; undefined for any other name. */
export async function docsAsset(name: unknown): Promise<Asset | undefined> {
  if (name === "start.js") return { type: "text/javascript; charset=utf-8", content: START };
  if (typeof name !== "string" || !Object.hasOwn(TYPES, name)) return undefined;
  const folder = dirname(require.resolve("swagger-ui-dist/package.json"));
  return { type: TYPES[name] as string, content: await readFile(join(folder, name)) };
}
