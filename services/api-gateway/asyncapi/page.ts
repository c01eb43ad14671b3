import type { Schema } from "../schemas/parts";
import { each, html, prose, table, type Html } from "./markup";
import { TAGS, type Tag } from "./parts";
import { fields } from "./shape-list";

/** What the page needs of the document. */
interface Document {
  info: { title: string; version: string; description: string };
  channels: Record<string, Channel>;
  operations: Record<string, Operation>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, { description: string }> };
  "x-close-codes": { code: number; reason: string; advice: string }[];
  "x-errors": { code: string; status: number; title: string; advice?: string }[];
  "x-limits": Record<string, number>;
}
interface Reference {
  $ref: string;
}
interface Message {
  title: string;
  correlationId?: Reference;
  summary?: string;
  payload: Schema;
}
interface Channel {
  address: string;
  title: string;
  description: string;
  messages: Record<string, Message | Reference>;
}
interface Operation {
  summary: string;
  channel: Reference;
  messages: Reference[];
  reply?: { messages: Reference[] };
  tags: { name: Tag }[];
  security: Reference[];
  bindings?: { http?: { method: string; query: Schema } };
}

/** Chapters after those of the doors. */
const CHAPTERS = { "close-codes": "Close codes", errors: "Errors", limits: "Limits", shapes: "Shapes" } as const;

/** The AsyncAPI document as a page to read, made once at the start: plain HTML that needs no script. */
export function asyncApiPage(asyncApi: Schema): string {
  const document = asyncApi as unknown as Document;
  const { info, channels } = document;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title}</title>
        <link rel="icon" href="/icon.svg" />
        <link rel="stylesheet" href="/style.css" />
        <link rel="stylesheet" href="/sockets.css" />
      </head>
      <body>
        <nav aria-label="Contents">
          <strong>${info.title}</strong>
          ${each(Object.entries(channels), ([id, channel]) => contents(id, channel, document))}
          ${each(Object.entries(CHAPTERS), ([id, title]) => html`<a href="#${id}">${title}</a>`)}
          <a href="/api/docs">REST</a>
          <a href="/api/asyncapi.json">As AsyncAPI</a>
        </nav>
        <main>
          <h1>${info.title} <small>${info.version}</small></h1>
          <p>${prose(info.description)}</p>
          ${each(Object.entries(channels), ([id, channel]) => door(id, channel, document))} ${chapters(document)}
        </main>
      </body>
    </html>`.text;
}

function contents(id: string, { title }: Channel, document: Document): Html {
  const groups = groupsOf(id, document);
  return html`<a href="#${id}">${title}</a>
    ${each(groups, ([tag]) => html`<a class="inner" href="#${id}-${tag}">${TAGS[tag]}</a>`)}`;
}

function door(id: string, { title, address, description }: Channel, document: Document): Html {
  const groups = groupsOf(id, document);
  const schemes = groups.flatMap(([, operations]) => operations.flatMap(({ security }) => security));
  const tokens = new Set(schemes.map(({ $ref }) => $ref.split("/").at(-1) ?? ""));
  return html`<h2 id="${id}">${title} <code>${address}</code></h2>
    <p>${prose(description)}</p>
    <p>Where the access token may stand:</p>
    <ul>
      ${each([...tokens], name => html`<li>${document.components.securitySchemes[name]?.description ?? ""}</li>`)}
    </ul>
    ${each(
      groups,
      ([tag, operations]) =>
        html`<h3 id="${id}-${tag}">${TAGS[tag]}</h3>
          ${GROUPS[tag](operations, document)}`,
    )}`;
}

/** Operations of a channel by their tags. */
function groupsOf(id: string, { operations }: Document): [Tag, Operation[]][] {
  const own = Object.values(operations).filter(({ channel }) => channel.$ref === `#/channels/${id}`);
  return (Object.keys(TAGS) as Tag[])
    .map((tag): [Tag, Operation[]] => [tag, own.filter(({ tags: [first] }) => first?.name === tag)])
    .filter(([, tagged]) => tagged.length > 0);
}

/** What is said, and what answers it if it went well; refusals are alike within a door. */
function asked(operations: Operation[], document: Document): Html {
  const rows = operations.map(({ summary, messages: [said], reply }) => {
    const [asks, answer] = [messageAt(said, document), messageAt(reply?.messages[0], document)];
    return [named(asks.title, summary), shown(asks), shown(answer)];
  });
  const refusal = messageAt(operations[0]?.reply?.messages.at(-1), document);
  return html`${table(["Say", "With", "Answer"], rows)}
    <h4>Refused: <code>${refusal.title}</code></h4>
    ${shown(refusal)}`;
}

/** The number that joins a question and its answer is told of once, by the door. */
const shown = ({ payload, correlationId }: Message): Html => fields(payload, correlationId?.$ref.split("/").at(-1));

const heard = (operations: Operation[], document: Document): Html =>
  table(
    ["Hear", "With"],
    operations
      .flatMap(({ messages }) => messages.map(reference => messageAt(reference, document)))
      .map(({ title, summary = "", payload }) => [named(title, summary), fields(payload)]),
  );

const GROUPS: Record<Tag, (operations: Operation[], document: Document) => Html> = {
  ask: asked,
  method: asked,
  hear: heard,
  http: operations =>
    table(
      ["Request", "Query"],
      operations.map(({ summary, bindings }) => [
        named(bindings?.http?.method ?? "", summary),
        fields(bindings?.http?.query ?? {}),
      ]),
    ),
};

const named = (name: string, summary: string): Html =>
  html`<code>${name}</code>
    <p>${prose(summary)}</p>`;

function messageAt(reference: Reference | undefined, document: Document): Message {
  const [, , channel = "", , name = ""] = reference?.$ref.split("/") ?? [];
  const found = document.channels[channel]?.messages[name];
  if (!found) throw new TypeError(`there is no message ${reference?.$ref}`);
  return "$ref" in found ? messageAt(found, document) : found;
}

const chapters = (document: Document): Html =>
  html`<h2 id="close-codes">${CHAPTERS["close-codes"]}</h2>
    ${table(
      ["Code", "Reason", "What to do"],
      document["x-close-codes"].map(({ code, reason, advice }) => [code, reason, advice]),
    )}
    <h2 id="errors">${CHAPTERS.errors}</h2>
    ${table(
      ["Code", "Status", "Meaning"],
      document["x-errors"].map(({ code, status, title, advice = "" }) => [code, status, html`${title}. ${advice}`]),
    )}
    <h2 id="limits">${CHAPTERS.limits}</h2>
    <p>As this server has them; welcome and <code>/api/config</code> tell them too.</p>
    ${table(["Name", "At most"], Object.entries(document["x-limits"]))}
    <h2 id="shapes">${CHAPTERS.shapes}</h2>
    ${each(
      Object.entries(document.components.schemas),
      ([name, schema]) =>
        html`<h3 id="shape-${name}">${name}</h3>
          ${fields(schema)}`,
    )}`;
