import type { Schema } from "../schemas/parts";
import type { Html } from "./markup";
import { each, html, NOTHING, prose } from "./markup";

/** JSON Schema as people read it. */
interface Node {
  $ref?: string;
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  pattern?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Node[];
  allOf?: Node[];
  items?: Node | Node[];
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
  required?: string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

/**
 * The fields of an object, or the places of a list; anything else by its type. What is always the same is left out.
 * @param known field that needs no words
 */
export function fields(schema: Schema, known?: string): Html {
  const node = schema as Node;
  if (node.anyOf) return each(node.anyOf.filter(isNamed), one => fields(one as Schema), " or ");
  if (Array.isArray(node.items)) {
    const least = node.minItems ?? 0;
    return list(node.items.map((item, at) => [item.title ?? String(at), item, at < least]));
  }
  if (!node.properties) return html`<span class="type">${typeOf(node)}</span>`;
  const own = Object.entries(node.properties).filter(([name, field]) => name !== known && !("const" in field));
  return list(own.map(([name, field]) => [name, field, node.required?.includes(name) ?? false]));
}

const isDeep = ({ properties, anyOf }: Node): boolean => properties !== undefined || (anyOf?.some(isDeep) ?? false);
const isNamed = ({ type }: Node): boolean => type !== "null";

function list(rows: readonly [name: string, field: Node, needed: boolean][]): Html {
  if (rows.length === 0) return html`<span class="type">nothing</span>`;
  return html`<dl>
    ${each(
      rows,
      ([name, field, needed]) => html`
        <dt><code>${name}${needed ? "" : "?"}</code></dt>
        <dd>
          ${isDeep(field) ? fields(field as Schema) : html`<span class="type">${typeOf(field)}</span>`}
          ${field.description ? prose(field.description) : NOTHING}
        </dd>
      `,
    )}
  </dl>`;
}

function typeOf(node: Node): Html {
  const { $ref, allOf, anyOf, type, items, properties } = node;
  if ($ref) return html`<a href="#shape-${nameOf($ref)}">${nameOf($ref)}</a>`;
  if (allOf?.[0]) return typeOf(allOf[0]);
  if (anyOf) return each(anyOf, typeOf, " or ");
  if ("const" in node) return html`${JSON.stringify(node.const)}`;
  if (node.enum) return each(node.enum, value => html`${String(value)}`, " | ");
  if (type === "array") return html`list of ${typeOf((items ?? {}) as Node)}${bounds(node.minItems, node.maxItems)}`;
  if (properties) return html`{ ${each(Object.entries(properties), entry => inline(entry, node.required), ", ")} }`;
  if (type === "object" && typeof node.additionalProperties === "object")
    return html`map to ${typeOf(node.additionalProperties)}`;
  if (type === "string") return html`${node.format ?? "text"}${bounds(node.minLength, node.maxLength, node.pattern)}`;
  if (type === "integer" || type === "number") return html`${type}${bounds(node.minimum, node.maximum)}`;
  return html`${type ?? "anything"}`;
}

const inline = ([name, field]: [string, Node], required: readonly string[] = []): Html =>
  html`${name}${required.includes(name) ? "" : "?"}: ${typeOf(field)}`;

const nameOf = (reference: string): string => reference.split("/").at(-1) ?? "";

function bounds(least: number | undefined, most: number | undefined, pattern?: string): Html {
  // Every number is at least 0, and at most what JSON can hold.
  const end = most !== undefined && most < Number.MAX_SAFE_INTEGER ? most : undefined;
  const range = least && end ? `${least} to ${end}` : least ? `from ${least}` : end ? `up to ${end}` : "";
  const said = [range, pattern ?? ""].filter(text => text !== "").join(" ");
  return said === "" ? NOTHING : html` (${said})`;
}
