/** The part of the package, which has no types of its own, that our adapter builds on. */
declare module "moleculer-db-adapter-mongo" {
  import type { Collection, FindCursor } from "mongodb";
  import type { Filters } from "../entity";
  import type { Stored } from "./query";

  class MongoDbAdapter {
    constructor(uri?: string, opts?: object, dbName?: string);
    collection: Collection<Stored>;
    init(broker: unknown, service: unknown): void;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    find(filters?: Filters): Promise<Stored[]>;
    count(filters?: Filters): Promise<number>;
    clear(): Promise<number>;
    createCursor(filters: Filters, isCounting: false): FindCursor<Stored>;
    createCursor(filters: Filters, isCounting: true): Promise<number>;
    createCursor(filters: Filters, isCounting: boolean): FindCursor<Stored> | Promise<number>;
    entityToObject(entity: object): object;
    stringToObjectID(id: string): unknown;
    objectIDToString(id: unknown): string;
    beforeSaveTransformID(entity: object, idField: string): object;
    afterRetrieveTransformID(entity: object, idField: string): object;
  }
  export = MongoDbAdapter;
}
