import { join } from "node:path";
import type { IncomingMessage, ServerResponse } from "node:http";
import { serveStatic } from "moleculer-web";
import type { Config } from "../../config/config";
import type { Health } from "../../config/health";
import { projectRoot, version } from "../../config/root";
import type { Limits } from "../core/limits";
import { PATHS } from "../core/paths";
import { asyncApiDocument } from "./asyncapi/document";
import { asyncApiPage } from "./asyncapi/page";
import { docsAsset, docsPage } from "./docs";
import { openApiDocument } from "./openapi";
import { RookeryError } from "../core/errors";
import type { OwnPage } from "./routes/route";

type Page = (params: Readonly<Record<string, unknown>>, res: ServerResponse) => Promise<void> | void;

/** Seconds a browser may keep the parts of the documentation page. */
const DOCS_AGE = 3_600;

/** What the gateway answers without calling anybody. */
export function ownPages(limits: Limits, accounts: Config["accounts"], health: Health): Record<OwnPage, Page> {
  const { registration, guests } = accounts;
  const config = JSON.stringify({ version, limits, realtime: PATHS, signIn: { registration, guests } });
  const document = JSON.stringify(openApiDocument(limits));
  const asyncApi = asyncApiDocument(limits);
  const sockets = JSON.stringify(asyncApi);
  const socketPage = asyncApiPage(asyncApi);
  return {
    async health(_params, res) {
      const report = await health.report();
      send(res, "application/json; charset=utf-8", JSON.stringify(report), report.status === "ok" ? 200 : 503);
    },
    config: (_params, res) => send(res, "application/json; charset=utf-8", config),
    openapi: (_params, res) => send(res, "application/json; charset=utf-8", document),
    asyncapi: (_params, res) => send(res, "application/json; charset=utf-8", sockets),
    docs(_params, res) {
      const { type, content } = docsPage();
      send(res, type, content);
    },
    "socket-docs": (_params, res) => send(res, "text/html; charset=utf-8", socketPage),
    async "docs-asset"({ file }, res) {
      const asset = await docsAsset(file);
      if (!asset) throw new RookeryError("NOT_FOUND");
      res.setHeader("Cache-Control", `public, max-age=${DOCS_AGE}`);
      send(res, asset.type, asset.content);
    },
  };
}

function send(res: ServerResponse, type: string, content: string | Buffer, status = 200): void {
  res.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(content) }).end(content);
}

export type StaticFiles = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** The web client's files: GET and HEAD only, no dotfiles, nothing outside the folder; `next` for what is not there. */
export function webClient(folder = join(projectRoot, "clients", "web")): StaticFiles {
  return serveStatic(folder, { dotfiles: "ignore", redirect: false, etag: true, lastModified: true, maxAge: 0 });
}
