import type { Param } from "./driver";

export type Scalar = string | number | boolean | null;

/** What a field may be compared with. Operators of one condition must all hold. */
export type Condition =
  | Scalar
  | {
      $in?: readonly Scalar[];
      /** Also true where the field is missing. */
      $ne?: Scalar;
      $gt?: string | number;
      $gte?: string | number;
      $lt?: string | number;
      $lte?: string | number;
      /** Text that begins with this, case as it is. */
      $prefix?: string;
    };

/** Fields (`name`, `settings.locale`, or `_id`) and their conditions; all must hold. A field holds values of one type. */
export type Query = Readonly<Record<string, Condition>>;

/** A piece of SQL and the values of its placeholders. */
export interface Fragment {
  sql: string;
  params: Param[];
}

/** The revision the documents layer keeps beside a document's own fields. */
export const REVISION = "_rev";

const FIELD = /^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*$/;

/** The SQL expression of a field. The text is the same wherever a field is named, or its index would not be used. */
export function fieldExpression(field: string): string {
  if (field === "_id") return "id";
  return `json_extract(doc, '$.${checkedField(field)}')`;
}

/** Names go into SQL as text, so only plain ones pass; this also keeps `__proto__` and the like out of documents. */
export function checkedField(field: string): string {
  if (field !== REVISION && !FIELD.test(field)) throw new TypeError(`not a field name: ${JSON.stringify(field)}`);
  return field;
}

/** Translates a query; values become parameters. Throws TypeError for unknown operators and values that are no scalars. */
export function where(query: Query = {}): Fragment {
  const parts = Object.entries(query).flatMap(([field, condition]) => {
    const expression = fieldExpression(field);
    if (!isOperators(condition)) return [equals(expression, condition)];
    return Object.entries(condition).map(([operator, value]) => compare(expression, operator, value));
  });
  return joined(parts, " AND ", "1");
}

/** Documents with `text` in any of the fields, ignoring case. */
export function matching(text: string, fields: readonly string[]): Fragment {
  const parts = fields.map(field => ({
    sql: `instr(fold(${fieldExpression(field)}), ?) > 0`,
    params: [text.toLowerCase()],
  }));
  return joined(parts, " OR ", "0");
}

/** ORDER BY of `field` and `-field` (descending); the id decides ties, so that pages do not overlap. */
export function orderBy(sort: readonly string[]): string {
  const terms = sort.map(term =>
    term.startsWith("-") ? `${fieldExpression(term.slice(1))} DESC` : fieldExpression(term),
  );
  return `ORDER BY ${[...terms, "id"].join(", ")}`;
}

export function joined(parts: readonly Fragment[], separator: " AND " | " OR ", none: string): Fragment {
  if (parts.length === 0) return { sql: none, params: [] };
  return { sql: `(${parts.map(({ sql }) => sql).join(separator)})`, params: parts.flatMap(({ params }) => params) };
}

function isOperators(condition: Condition): condition is Exclude<Condition, Scalar> {
  return typeof condition === "object" && condition !== null && !Array.isArray(condition);
}

function equals(expression: string, value: unknown): Fragment {
  const param = scalar(value);
  return param === null ? { sql: `${expression} IS NULL`, params: [] } : { sql: `${expression} = ?`, params: [param] };
}

const RANGES: Readonly<Record<string, string>> = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" };

function compare(expression: string, operator: string, value: unknown): Fragment {
  if (operator === "$in" && Array.isArray(value)) return oneOf(expression, value);
  if (operator === "$ne") return { sql: `${expression} IS NOT ?`, params: [scalar(value)] };
  if (operator === "$prefix" && typeof value === "string") return prefixed(expression, value);
  if (Object.hasOwn(RANGES, operator) && (typeof value === "string" || typeof value === "number"))
    return { sql: `${expression} ${RANGES[operator]} ?`, params: [scalar(value)] };
  throw new TypeError(`not a condition: ${operator} with ${typeof value}`);
}

/** The list is one JSON parameter: the statement stays the same for any number of values. */
function oneOf(expression: string, values: readonly unknown[]): Fragment {
  const params = values.map(scalar);
  const list = { sql: `${expression} IN (SELECT value FROM json_each(?))`, params: [JSON.stringify(params)] };
  return params.includes(null) ? joined([list, equals(expression, null)], " OR ", "0") : list;
}

/** A range, so that an index serves it: the last code point sorts after everything that can follow the prefix. */
function prefixed(expression: string, prefix: string): Fragment {
  return { sql: `(${expression} >= ? AND ${expression} < ?)`, params: [prefix, `${prefix}\u{10FFFF}`] };
}

/** SQLite has no booleans: JSON's are 1 and 0 to it. */
function scalar(value: unknown): string | number | null {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  throw new TypeError(`not a value to compare with: ${typeof value}`);
}
