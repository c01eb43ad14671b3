import { newId } from "../services/core/ids";
import { checkedField, type Query } from "./query";

/** A document as adapters see it: JSON values and the key `_id`. */
export type Entity = { _id: string } & Record<string, unknown>;

/** A document's id, and the values of the fields that were asked for, in their order. */
export type Picked = readonly [id: string, ...values: unknown[]];

/** Filters of moleculer-db. */
export interface Filters {
  query?: Query;
  search?: string;
  searchFields?: string | readonly string[];
  /** `field` or `-field`. */
  sort?: string | readonly string[];
  limit?: number | null;
  offset?: number | null;
}

/** Top-level fields to write and to take away. */
export interface Change {
  $set?: Readonly<Record<string, unknown>>;
  $unset?: Readonly<Record<string, unknown>>;
}

/** A copy with an id, made where there is none. Throws TypeError for one that is no text. */
export function withId(entity: Partial<Entity>): Entity {
  const id: unknown = entity._id ?? newId();
  if (typeof id !== "string" || id === "") throw new TypeError("the id of a document must be a text");
  return { ...entity, _id: id };
}

/** The name of a document's own field, not of one below it. Throws TypeError. */
export function topLevel(field: string): string {
  if (field.includes(".")) throw new TypeError(`not a top-level field: ${JSON.stringify(field)}`);
  return checkedField(field);
}

/** The fields themselves, every name checked. */
export function checkedFields<T extends object>(fields: T): T {
  Object.keys(fields).forEach(topLevel);
  return fields;
}
