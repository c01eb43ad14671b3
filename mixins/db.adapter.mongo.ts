import MongoDbAdapter from "moleculer-db-adapter-mongo";
import type { FindCursor, UpdateFilter } from "mongodb";
import { collectionName, type CollectionSpec } from "./collection";
import { checkedFields, topLevel, withId, type Change, type Entity, type Filters, type Picked } from "./entity";
import { prepareCollection } from "./mongo/collection";
import type { MongoConnection } from "./mongo/connection";
import { fromStored, toStored } from "./mongo/names";
import { all, filterOf, matching, orderOf, type Stored } from "./mongo/query";
import type { Query } from "./query";

/**
 * moleculer-db-adapter-mongo on the process's own connection and on today's driver. Queries are the ones of the embedded
 * store, ids are our own texts, and documents hold what JSON holds. Every write of one document is atomic. Errors:
 * DuplicateKeyError, StorageError, and TypeError for a query or change that is not one.
 */
export class MongoAdapter extends MongoDbAdapter {
  private connection: MongoConnection | undefined;

  /** `open` gives the connection of this process; it is shared and stays open on disconnect. */
  constructor(
    private readonly spec: CollectionSpec,
    private readonly open: () => Promise<MongoConnection>,
  ) {
    super();
    collectionName(spec);
  }

  /** moleculer-db hands over broker and service; nothing of them is needed. */
  override init(): void {}

  /** Waits for the server, however long that takes. */
  override async connect(): Promise<void> {
    const connection = await this.open();
    await prepareCollection(connection, this.spec);
    this.collection = connection.db.collection<Stored>(this.spec.collection);
    this.connection = connection;
  }

  override async disconnect(): Promise<void> {
    this.connection = undefined;
  }

  override async find(filters: Filters = {}): Promise<Entity[]> {
    return (await this.connected().read(() => super.find(filters))).map(decode);
  }

  async findOne(query: Query): Promise<Entity | null> {
    const filter = filterOf(query, this.spec);
    return decoded(await this.connected().read(() => this.collection.findOne(filter)));
  }

  findById(id: string): Promise<Entity | null> {
    return this.findOne({ _id: id });
  }

  findByIds(ids: readonly string[]): Promise<Entity[]> {
    return this.find({ query: { _id: { $in: ids } } });
  }

  /** Some top-level fields of documents, each as its id and their values; null where one is missing. In no order. */
  async pick(ids: readonly string[], fields: readonly string[]): Promise<Picked[]> {
    const filter = filterOf({ _id: { $in: ids } }, this.spec);
    const projection = Object.fromEntries(fields.map(field => [topLevel(field), 1]));
    const found = await this.connected().read(() => this.collection.find(filter, { projection }).toArray());
    return found.map(decode).map(entity => [entity._id, ...fields.map(field => entity[field] ?? null)]);
  }

  override async count(filters: Filters = {}): Promise<number> {
    return this.connected().read(() => super.count(filters));
  }

  async insert(entity: Partial<Entity>): Promise<Entity> {
    const stored = withId(entity);
    const document = encode(stored);
    await this.connected().write(() => this.collection.insertOne(document));
    return stored;
  }

  /** In order; those before the first that is refused are stored. */
  async insertMany(entities: readonly Partial<Entity>[]): Promise<Entity[]> {
    const stored = entities.map(withId);
    const documents = stored.map(encode);
    if (documents.length > 0) await this.connected().write(() => this.collection.insertMany(documents));
    return stored;
  }

  /** Resolves to the number of documents the query matched. */
  async updateMany(query: Query, change: Change): Promise<number> {
    const [filter, update] = [filterOf(query, this.spec), updateOf(change)];
    if (!update) return this.count({ query });
    return (await this.connected().write(() => this.collection.updateMany(filter, update))).matchedCount;
  }

  /** Resolves to the document, read after the change. */
  async updateById(id: string, change: Change): Promise<Entity | null> {
    return (await this.updateMany({ _id: id }, change)) > 0 ? this.findById(id) : null;
  }

  async removeMany(query: Query): Promise<number> {
    const filter = filterOf(query, this.spec);
    // As a group, so that an error tells whether some were removed.
    const remove = () => this.collection.bulkWrite([{ deleteMany: { filter } }]);
    return (await this.connected().write(remove)).deletedCount;
  }

  /** Resolves to the document that was there. */
  async removeById(id: string): Promise<Entity | null> {
    const filter = filterOf({ _id: id }, this.spec);
    return decoded(await this.connected().write(() => this.collection.findOneAndDelete(filter)));
  }

  override clear(): Promise<number> {
    return this.removeMany({});
  }

  override createCursor(filters: Filters, isCounting: false): FindCursor<Stored>;
  override createCursor(filters: Filters, isCounting: true): Promise<number>;
  override createCursor(filters: Filters, isCounting: boolean): FindCursor<Stored> | Promise<number> {
    const { query, search, searchFields = [], sort, limit, offset } = filters;
    const filter = all([filterOf(query, this.spec), search ? matching(search, searchFields) : {}]);
    if (isCounting) return this.collection.countDocuments(filter);
    const cursor = this.collection.find(filter).sort(orderOf(sort));
    if (offset && offset > 0) cursor.skip(offset);
    if (limit && limit > 0) cursor.limit(limit);
    return cursor;
  }

  override stringToObjectID(id: string): string {
    return id;
  }

  override objectIDToString(id: unknown): string {
    return id as string;
  }

  private connected(): MongoConnection {
    if (!this.connection) throw new Error(`The collection ${this.spec.collection} is not connected`);
    return this.connection;
  }
}

function encode({ _id, ...fields }: Entity): Stored {
  return { _id, ...(toStored(checkedFields(fields)) as object) };
}

function decode({ _id, ...fields }: Stored): Entity {
  return { _id, ...(fromStored(fields) as object) };
}

const decoded = (document: Stored | null): Entity | null => (document ? decode(document) : null);

/** Null for a change that is none: MongoDB refuses it. What is set and taken away is away. */
function updateOf({ $set = {}, $unset = {} }: Change): UpdateFilter<Stored> | null {
  const gone = Object.fromEntries(Object.keys($unset).map(field => [topLevel(field), ""]));
  const set = Object.entries(toStored(checkedFields($set)) as object).filter(([field]) => !Object.hasOwn(gone, field));
  const parts = { $set: Object.fromEntries(set), $unset: gone };
  const present = Object.entries(parts).filter(([, fields]) => Object.keys(fields).length > 0);
  return present.length > 0 ? Object.fromEntries(present) : null;
}
