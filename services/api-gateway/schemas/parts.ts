/** JSON Schemas (2020-12, as OpenAPI 3.1 has them) of everything REST takes and gives. */
export type Schema = Readonly<Record<string, unknown>>;

export const string = (extra: Schema = {}): Schema => ({ type: "string", ...extra });
export const integer = (minimum: number, extra: Schema = {}): Schema => ({ type: "integer", minimum, ...extra });
export const boolean: Schema = { type: "boolean" };
export const time = string({ format: "date-time" });
export const id = string({ description: "A UUIDv7." });
export const list = (items: Schema, extra: Schema = {}): Schema => ({ type: "array", items, ...extra });
export const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** An answer: fields may be added, so unknown ones are allowed. A name that ends in `?` may be missing. */
export const shape = (fields: Record<string, Schema>): Schema => ({
  type: "object",
  required: Object.keys(fields).filter(name => !name.endsWith("?")),
  properties: Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name.replace("?", ""), schema])),
});

/** A request: unknown fields are refused. */
export const body = (fields: Record<string, Schema>): Schema => ({ ...shape(fields), additionalProperties: false });

export const page = (item: string): Schema =>
  shape({
    items: list(ref(item)),
    page: integer(1),
    pageSize: integer(1, { description: "As applied: a larger one is cut to the maximum." }),
    total: integer(0),
  });

export const username = string({ pattern: "^[A-Za-z0-9_.-]{3,32}$" });
export const password = string({ minLength: 8, description: "At most 72 bytes of UTF-8." });
