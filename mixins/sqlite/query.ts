import { comparisons, names, queryField, sortTerms, type Comparison, type Query, type Scalar } from "../query";
import type { Param } from "./driver";

export type { Query } from "../query";

/** A piece of SQL and the values of its placeholders. */
export interface Fragment {
  sql: string;
  params: Param[];
}

/** The SQL expression of a field. The text is the same wherever a field is named, or its index would not be used. */
export function fieldExpression(field: string): string {
  return queryField(field) === "_id" ? "id" : `json_extract(doc, '$.${field}')`;
}

/** Translates a query; values become parameters. Throws TypeError for what is no query. */
export function where(query?: Query): Fragment {
  return joined(comparisons(query).map(compare), " AND ", "1");
}

/** Documents with `text` in any of the fields, ignoring case. */
export function matching(text: string, fields: string | readonly string[]): Fragment {
  const parts = names(fields).map(field => ({
    sql: `instr(fold(${fieldExpression(field)}), ?) > 0`,
    params: [text.toLowerCase()],
  }));
  return joined(parts, " OR ", "0");
}

/** ORDER BY of `field` and `-field` (descending), ties decided by the id. */
export function orderBy(sort?: string | readonly string[]): string {
  const terms = sortTerms(sort).map(({ field, descending }) => `${fieldExpression(field)}${descending ? " DESC" : ""}`);
  return `ORDER BY ${terms.join(", ")}`;
}

export function joined(parts: readonly Fragment[], separator: " AND " | " OR ", none: string): Fragment {
  if (parts.length === 0) return { sql: none, params: [] };
  return { sql: `(${parts.map(({ sql }) => sql).join(separator)})`, params: parts.flatMap(({ params }) => params) };
}

const RANGES = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" };

function compare({ field, operator, value }: Comparison): Fragment {
  const expression = fieldExpression(field);
  if (operator === "$eq") return equals(expression, value);
  if (operator === "$ne") return { sql: `${expression} IS NOT ?`, params: [param(value)] };
  if (operator === "$in") return oneOf(expression, value);
  if (operator === "$nin") return noneOf(expression, value);
  if (operator === "$prefix") return prefixed(expression, value);
  return { sql: `${expression} ${RANGES[operator]} ?`, params: [param(value)] };
}

function equals(expression: string, value: Scalar): Fragment {
  return value === null
    ? { sql: `${expression} IS NULL`, params: [] }
    : { sql: `${expression} = ?`, params: [param(value)] };
}

/** The list is one JSON parameter: the statement stays the same for any number of values. */
function oneOf(expression: string, values: readonly Scalar[]): Fragment {
  const params = [JSON.stringify(values.map(param))];
  const list = { sql: `${expression} IN (SELECT value FROM json_each(?))`, params };
  return values.includes(null) ? joined([list, equals(expression, null)], " OR ", "0") : list;
}

/** What is missing equals no value, so it is none of them unless null is one. */
function noneOf(expression: string, values: readonly Scalar[]): Fragment {
  const params = [JSON.stringify(values.filter(value => value !== null).map(param))];
  const list = { sql: `${expression} NOT IN (SELECT value FROM json_each(?))`, params };
  if (values.includes(null)) return joined([list, { sql: `${expression} IS NOT NULL`, params: [] }], " AND ", "1");
  return joined([list, equals(expression, null)], " OR ", "0");
}

/** A range, so that an index serves it: the last code point sorts after everything that can follow the prefix. */
function prefixed(expression: string, prefix: string): Fragment {
  return { sql: `(${expression} >= ? AND ${expression} < ?)`, params: [prefix, `${prefix}\u{10FFFF}`] };
}

/** SQLite has no booleans: JSON's are 1 and 0 to it. */
function param(value: Scalar): string | number | null {
  return typeof value === "boolean" ? Number(value) : value;
}
