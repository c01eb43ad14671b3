import { RookeryError, type FieldError } from "../core/errors";
import type { Route } from "./routes/route";

/** A query as it came: a name that is given more than once has all its values. */
export type Query = ReadonlyMap<string, readonly string[]>;

/** Splits a query string. Names are plain text: brackets mean nothing. Throws BAD_REQUEST for broken percent signs. */
export function parseQuery(text: string): Query {
  const query = new Map<string, string[]>();
  for (const part of text.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = decode(equals === -1 ? part : part.slice(0, equals));
    const value = equals === -1 ? "" : decode(part.slice(equals + 1));
    const values = query.get(name);
    if (values) values.push(value);
    else query.set(name, [value]);
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new RookeryError("BAD_REQUEST", "The query is not well-formed.");
  }
}

/** The values of a query. Throws INVALID for names that the route does not take, and for repeated ones. */
export function queryOf(route: Route, query: Query): Record<string, string> {
  const values: Record<string, string> = {};
  const errors: FieldError[] = [];
  for (const [name, [value = "", ...more]] of query) {
    if (!(route.query as readonly string[] | undefined)?.includes(name)) {
      if (!route.lenient) errors.push({ field: name.slice(0, 64), message: "There is no such parameter." });
    } else if (more.length > 0) errors.push({ field: name, message: "Give it once." });
    else values[name] = value;
  }
  if (errors.length > 0) throw invalid(errors);
  return values;
}

/** Path, query and body as the action's parameters. Throws INVALID if one of them names a parameter again. */
export function mergeParams(
  path: Readonly<Record<string, unknown>>,
  ...others: Readonly<Record<string, unknown>>[]
): Record<string, unknown> {
  const params: Record<string, unknown> = { ...path };
  for (const other of others) {
    for (const [name, value] of Object.entries(other)) {
      if (Object.hasOwn(params, name)) throw invalid([{ field: name, message: "It is given by the path already." }]);
      params[name] = value;
    }
  }
  return params;
}

const invalid = (errors: FieldError[]): RookeryError =>
  new RookeryError("INVALID", errors.map(({ field, message }) => `${field}: ${message}`).join(" "), {
    errors: errors.slice(0, 20),
  });
