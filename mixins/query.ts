export type Scalar = string | number | boolean | null;

/** What a field may be compared with. Operators of one condition must all hold. */
export type Condition =
  | Scalar
  | {
      $in?: readonly Scalar[];
      /** Also true where the field is missing, like `$ne`. */
      $nin?: readonly Scalar[];
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

/** One condition on one field, checked: what drivers translate. Equality with null is also true where the field is missing. */
export type Comparison = { field: string } & (
  | { operator: "$eq" | "$ne"; value: Scalar }
  | { operator: "$in"; value: Scalar[] }
  | { operator: "$nin"; value: Scalar[] }
  | { operator: "$gt" | "$gte" | "$lt" | "$lte"; value: string | number }
  | { operator: "$prefix"; value: string }
);

/** The revision the documents layer keeps beside a document's own fields. */
export const REVISION = "_rev";

const FIELD = /^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*$/;

/** Names go into statements as text, so only plain ones pass; this also keeps `__proto__` and the like out of documents. */
export function checkedField(field: string): string {
  if (field !== REVISION && !FIELD.test(field)) throw new TypeError(`not a field name: ${JSON.stringify(field)}`);
  return field;
}

/** A field of a query: any, or the id. */
export const queryField = (field: string): string => (field === "_id" ? field : checkedField(field));

/** Reads a query. Throws TypeError for names that are none, unknown operators and values that are no scalars. */
export function comparisons(query: Query = {}): Comparison[] {
  return Object.entries(query).flatMap(([name, condition]) => {
    const field = queryField(name);
    if (!isOperators(condition)) return [{ field, operator: "$eq" as const, value: scalar(condition) }];
    const operators = Object.entries(condition);
    // An empty one, as a date is without its own properties, would hold for everything.
    if (operators.length === 0) throw new TypeError("not a condition: it asks for nothing");
    return operators.map(([operator, value]) => comparison(field, operator, value));
  });
}

/** `field` and `-field` (descending), the id last: it decides ties, so that pages do not overlap. */
export function sortTerms(sort: string | readonly string[] | undefined): { field: string; descending: boolean }[] {
  const terms = names(sort).map(term =>
    term.startsWith("-")
      ? { field: queryField(term.slice(1)), descending: true }
      : { field: queryField(term), descending: false },
  );
  // Behind the id nothing is left to decide, and a store would sort once more for it.
  const byId = terms.findIndex(({ field }) => field === "_id");
  return byId === -1 ? [...terms, { field: "_id", descending: false }] : terms.slice(0, byId + 1);
}

/** A list of names, as a list or as moleculer-db has it, in one text. */
export function names(list: string | readonly string[] = []): readonly string[] {
  return typeof list === "string" ? list.split(/[\s,]+/).filter(Boolean) : list;
}

function isOperators(condition: Condition): condition is Exclude<Condition, Scalar> {
  return typeof condition === "object" && condition !== null && !Array.isArray(condition);
}

function comparison(field: string, operator: string, value: unknown): Comparison {
  if (operator === "$nin" && Array.isArray(value)) return { field, operator, value: value.map(scalar) };
  if (operator === "$in" && Array.isArray(value)) return { field, operator, value: value.map(scalar) };
  if (operator === "$ne") return { field, operator, value: scalar(value) };
  if (operator === "$prefix" && typeof value === "string") return { field, operator, value };
  if (isRange(operator) && (typeof value === "string" || typeof value === "number"))
    return { field, operator, value: scalar(value) as string | number };
  throw new TypeError(`not a condition: ${operator} with ${typeof value}`);
}

const isRange = (operator: string): operator is "$gt" | "$gte" | "$lt" | "$lte" => /^\$[gl]te?$/.test(operator);

function scalar(value: unknown): Scalar {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new TypeError(`not a value to compare with: ${typeof value}`);
}
