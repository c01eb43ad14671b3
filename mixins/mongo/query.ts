import type { Document, Filter, Sort } from "mongodb";
import type { CollectionSpec, IndexSpec } from "../collection";
import { comparisons, names, queryField, sortTerms, type Comparison, type Query } from "../query";

/** Documents are keyed by texts of our own. */
export type Stored = Document & { _id: string };

/** What a unique index asks of each of its fields: where one is null or missing, nothing conflicts. */
const VALUE = { $type: ["string", "number", "bool"] };

/** The documents that a unique index holds. */
export const held = ({ fields }: IndexSpec): Document => Object.fromEntries(fields.map(field => [field, VALUE]));

/** Translates a query. Throws TypeError for what is no query: no operator comes in by a value. */
export function filterOf(query: Query | undefined, { indexes = [] }: CollectionSpec): Filter<Stored> {
  const list = comparisons(query);
  const valued = new Set(list.filter(asksForValue).map(({ field }) => field));
  // The server uses such an index only for a query that asks for no more than it holds, in so many words.
  const uses = indexes.filter(({ unique, fields }) => unique && fields.every(field => valued.has(field))).map(held);
  return all([...list.map(compare), ...uses]);
}

/** Documents with `text` in any of the fields, ignoring case; the text is no pattern. */
export function matching(text: string, fields: string | readonly string[]): Filter<Stored> {
  const $regex = text.replace(/[\\^$.[\]|()?*+{}]/g, "\\$&").replaceAll("\0", "\\x00");
  const parts = names(fields).map(field => ({ [queryField(field)]: { $regex, $options: "i" } }));
  return parts.length > 0 ? { $or: parts } : { _id: { $in: [] } };
}

export function all(filters: readonly Filter<Stored>[]): Filter<Stored> {
  const parts = filters.filter(filter => Object.keys(filter).length > 0);
  return parts.length > 1 ? { $and: parts } : (parts[0] ?? {});
}

/** The order of `field` and `-field` (descending), ties decided by the id. */
export function orderOf(sort: string | readonly string[] | undefined): Sort {
  const order = new Map<string, 1 | -1>();
  for (const { field, descending } of sortTerms(sort)) if (!order.has(field)) order.set(field, descending ? -1 : 1);
  return order;
}

function compare({ field, operator, value }: Comparison): Filter<Stored> {
  // A range, so that an index serves it: the last code point sorts after everything that can follow the prefix.
  if (operator === "$prefix") return { [field]: { $gte: value, $lt: `${value}\u{10FFFF}` } };
  return { [field]: { [operator]: value } };
}

/** Whether only documents match in which the field has a value. */
function asksForValue({ operator, value }: Comparison): boolean {
  if (operator === "$in") return !value.includes(null);
  return operator === "$ne" || operator === "$nin" ? false : value !== null;
}
