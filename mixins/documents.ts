import { setTimeout as pause } from "node:timers/promises";
import type { CollectionSpec } from "./collection";
import { MongoAdapter } from "./db.adapter.mongo";
import { SqliteAdapter } from "./db.adapter.sqlite";
import type { Change, Entity, Filters, Picked } from "./entity";
import type { MongoConnection } from "./mongo/connection";
import { REVISION, type Condition, type Query, type Scalar } from "./query";
import type { SqliteDatabase } from "./sqlite/database";
import { DuplicateKeyError, StorageError } from "./storage-errors";

export type { CollectionSpec, IndexSpec } from "./collection";
export { DuplicateKeyError, StorageError } from "./storage-errors";

type Field<T> = keyof T & string;

/** Values of a field's own type, or operators over them; missing and null are the same. */
type ConditionOf<V> = Extract<V, Scalar> | null | Exclude<Condition, Scalar>;

/** Fields that must all hold; nested ones by path (`settings.locale`). */
export type Where<T> = { readonly [F in Field<T>]?: ConditionOf<T[F]> } & {
  readonly [path: `${string}.${string}`]: Condition;
};

/** Text that must be in at least one of the fields, ignoring case. */
export interface Search<T> {
  text: string;
  fields: readonly (Field<T> | `${string}.${string}`)[];
}

/** Of a document: where a field can be missing, it is null. */
export type Parts<T, F extends keyof T> = {
  [P in F]: undefined extends T[P] ? Exclude<T[P], undefined> | null : T[P];
};

export type Sort<T> = Field<T> | `-${Field<T>}`;

export interface Find<T> {
  where?: Where<T>;
  search?: Search<T>;
  /** `-field` is descending; ties are decided by id. */
  sort?: Sort<T> | readonly Sort<T>[];
  limit?: number;
  offset?: number;
}

/**
 * A collection of JSON documents. Every write is durable when it resolves and atomic by itself. All reject with StorageError
 * when the store is in trouble, insert and update with DuplicateKeyError when a unique index refuses.
 */
export interface Documents<T extends { id: string }> {
  get(id: string): Promise<T | null>;
  /** In the order of `ids`; unknown ones are left out. */
  getMany(ids: readonly string[]): Promise<T[]>;
  /** Some fields of documents, by id; null where one is missing. Cheaper than whole documents where many are looked at. */
  pick<F extends Field<T>>(ids: readonly string[], fields: readonly F[]): Promise<Map<string, Parts<T, F>>>;
  find(what?: Find<T>): Promise<T[]>;
  findOne(where: Where<T>): Promise<T | null>;
  count(what?: Pick<Find<T>, "where" | "search">): Promise<number>;
  insert(doc: T): Promise<T>;
  /** All in one write. Where one is refused, those before it may be stored. */
  insertMany(docs: readonly T[]): Promise<void>;
  /**
   * Replaces the document by what `change` makes of it, or leaves it when that is null; `change` may run again when another
   * writer was faster. Resolves to the document as it is then, null if there is none.
   */
  update(id: string, change: (doc: T) => T | null): Promise<T | null>;
  remove(id: string): Promise<boolean>;
  removeWhere(where: Where<T>): Promise<number>;
}

/**
 * Stores a document, or changes the one that is there under its id by `change`, whoever else does so at the same time. Resolves
 * to the document as it is then; null if it was removed meanwhile.
 */
export async function upsert<T extends { id: string }>(
  documents: Pick<Documents<T>, "update" | "insert">,
  doc: T,
  change: (known: T) => T | null,
): Promise<T | null> {
  const known = await documents.update(doc.id, change);
  if (known) return known;
  try {
    return await documents.insert(doc);
  } catch (error) {
    if (!(error instanceof DuplicateKeyError)) throw error;
    return documents.update(doc.id, change);
  }
}

/** What documents need of a moleculer-db adapter. */
export interface DocumentAdapter {
  find(filters: Filters): Promise<Entity[]>;
  findOne(query: Query): Promise<Entity | null>;
  findById(id: string): Promise<Entity | null>;
  findByIds(ids: string[]): Promise<Entity[]>;
  pick(ids: readonly string[], fields: readonly string[]): Promise<Picked[]>;
  count(filters: Filters): Promise<number>;
  insert(entity: Entity): Promise<Entity>;
  insertMany(entities: readonly Entity[]): Promise<Entity[]>;
  updateMany(query: Query, change: Change): Promise<number>;
  removeMany(query: Query): Promise<number>;
  removeById(id: string): Promise<Entity | null>;
}

/** Opens a collection of the embedded store; table and indexes are made as declared. */
export async function openDocuments<T extends { id: string }>(
  database: SqliteDatabase,
  spec: CollectionSpec,
): Promise<Documents<T>> {
  const adapter = new SqliteAdapter(spec, async () => database);
  await adapter.connect();
  return documentsOver<T>(adapter);
}

/** Opens a collection of the cluster's store; waits for the server, however long that takes. Indexes are made as declared. */
export async function openMongoDocuments<T extends { id: string }>(
  connection: MongoConnection,
  spec: CollectionSpec,
): Promise<Documents<T>> {
  const adapter = new MongoAdapter(spec, async () => connection);
  await adapter.connect();
  return documentsOver<T>(adapter);
}

/** Documents over a connected adapter. */
export function documentsOver<T extends { id: string }>(adapter: DocumentAdapter): Documents<T> {
  return new AdapterDocuments<T>(adapter);
}

/** Times an update starts again because another process was faster. */
const ATTEMPTS = 16;
/** Milliseconds such an update waits at most, doubled each time: who is far from the store must win, too. */
const PAUSE = 1;
const LONGEST_PAUSE = 100;
/** Updates of one collection that may wait for each other. */
const WAITING = 1000;

class AdapterDocuments<T extends { id: string }> implements Documents<T> {
  /** The last update under way of each document. Turns spare retries within a process; the revision carries correctness. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private waiting = 0;

  constructor(private readonly adapter: DocumentAdapter) {}

  async get(id: string): Promise<T | null> {
    return this.own(await this.adapter.findById(id));
  }

  async getMany(ids: readonly string[]): Promise<T[]> {
    const found = new Map((await this.adapter.findByIds([...new Set(ids)])).map(entity => [entity._id, entity]));
    return ids.flatMap(id => this.own(found.get(id) ?? null) ?? []);
  }

  async pick<F extends Field<T>>(ids: readonly string[], fields: readonly F[]): Promise<Map<string, Parts<T, F>>> {
    const found = new Map<string, Parts<T, F>>();
    for (const [id, ...values] of await this.adapter.pick([...new Set(ids)], fields)) {
      const parts: Record<string, unknown> = {};
      fields.forEach((field, at) => (parts[field] = values[at]));
      found.set(id, parts as Parts<T, F>);
    }
    return found;
  }

  async find(what: Find<T> = {}): Promise<T[]> {
    const { limit, offset, sort = [] } = what;
    for (const bound of [limit, offset]) {
      if (bound !== undefined && !(Number.isSafeInteger(bound) && bound >= 0))
        throw new TypeError(`not a bound: ${bound}`);
    }
    if (limit === 0) return [];
    const order = (typeof sort === "string" ? [sort] : sort).map(term => term.replace(/^(-?)id$/, "$1_id"));
    const entities = await this.adapter.find({ ...this.filters(what), sort: order, limit, offset });
    return entities.map(entity => this.own(entity) as T);
  }

  async findOne(where: Where<T>): Promise<T | null> {
    return this.own(await this.adapter.findOne(queryOf(where)));
  }

  count(what: Pick<Find<T>, "where" | "search"> = {}): Promise<number> {
    return this.adapter.count(this.filters(what));
  }

  async insert(doc: T): Promise<T> {
    await this.adapter.insert(entityOf(doc));
    return doc;
  }

  async insertMany(docs: readonly T[]): Promise<void> {
    await this.adapter.insertMany(docs.map(entityOf));
  }

  async update(id: string, change: (doc: T) => T | null): Promise<T | null> {
    if (this.waiting >= WAITING) throw new StorageError("failed", "overload");
    this.waiting++;
    const turn = (this.turns.get(id) ?? Promise.resolve()).then(() => this.replace(id, change));
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.turns.set(id, settled);
    try {
      return await turn;
    } finally {
      this.waiting--;
      if (this.turns.get(id) === settled) this.turns.delete(id);
    }
  }

  async remove(id: string): Promise<boolean> {
    return (await this.adapter.removeById(id)) !== null;
  }

  removeWhere(where: Where<T>): Promise<number> {
    return this.adapter.removeMany(queryOf(where));
  }

  private async replace(id: string, change: (doc: T) => T | null): Promise<T | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 1) await pause(Math.random() * Math.min(PAUSE * 2 ** attempt, LONGEST_PAUSE));
      const entity = await this.adapter.findById(id);
      const before = this.own(entity);
      if (!entity || !before) return null;
      const after = change(structuredClone(before));
      if (after === null) return before;
      if (after.id !== id) throw new TypeError("the id of a document cannot change");
      const revision = Number(entity[REVISION]);
      const { $set, $unset } = difference(fieldsOf(before), fieldsOf(after));
      const next = { $set: { ...$set, [REVISION]: revision + 1 }, $unset };
      if ((await this.adapter.updateMany({ _id: id, [REVISION]: revision }, next)) > 0) return after;
    }
    throw new StorageError("failed", "conflict");
  }

  private filters({ where, search }: Pick<Find<T>, "where" | "search">): Filters {
    const query = queryOf(where ?? ({} as Where<T>));
    return search?.text ? { query, search: search.text, searchFields: search.fields.map(idAware) } : { query };
  }

  private own(entity: Entity | null): T | null {
    if (!entity) return null;
    const { _id, [REVISION]: _revision, ...fields } = entity;
    return { id: _id, ...fields } as unknown as T;
  }
}

const idAware = (field: string): string => (field === "id" ? "_id" : field);

function queryOf<T>(where: Where<T>): Query {
  const conditions = Object.entries(where) as [string, Condition][];
  return Object.fromEntries(conditions.map(([field, condition]) => [idAware(field), condition]));
}

const entityOf = <T extends { id: string }>(doc: T): Entity => ({ ...fieldsOf(doc), [REVISION]: 1, _id: doc.id });

function fieldsOf<T extends { id: string }>({ id: _id, ...fields }: T): Record<string, unknown> {
  return fields;
}

/** What must be written to make `after` of `before`, top-level field by field. */
function difference(before: Record<string, unknown>, after: Record<string, unknown>): Required<Change> {
  const present = Object.entries(after).filter(([, value]) => value !== undefined);
  const changed = present.filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field]));
  const gone = Object.keys(before).filter(field => after[field] === undefined);
  return { $set: Object.fromEntries(changed), $unset: Object.fromEntries(gone.map(field => [field, ""])) };
}
