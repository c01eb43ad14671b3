import type { Service, ServiceSchema } from "moleculer";
import DbService from "moleculer-db";
import { platformOf } from "../config/platform";
import { SqliteAdapter } from "./db.adapter.sqlite";
import { documentsOver, type CollectionSpec, type Documents } from "./documents";

/** What the mixin gives a service. */
export interface DocumentsService<T extends { id: string }> {
  /** Ready before the service's own `started`. */
  documents: Documents<T>;
}

type Host<T extends { id: string }> = Service &
  DocumentsService<T> & { adapter: SqliteAdapter; connect(): Promise<void> };

/**
 * moleculer-db for services with one collection, on the storage of the process; `this.documents` is how they use it. None of
 * moleculer-db's actions exist: they would let any caller read and change whole documents. Services with several
 * collections open them with `openDocuments`.
 */
export function documentsMixin<T extends { id: string }>(spec: CollectionSpec): Partial<ServiceSchema> {
  return {
    // Its `created` makes a memory store and its `started` tries to connect for ever: a broken store must end the start.
    mixins: [{ ...DbService, created: undefined, started: undefined } as Partial<ServiceSchema>],
    settings: { idField: "id" } as ServiceSchema["settings"],
    actions: {
      find: false,
      list: false,
      count: false,
      create: false,
      insert: false,
      update: false,
      remove: false,
      get: false,
      resolve: false,
    },
    created(this: Host<T>) {
      this.adapter = new SqliteAdapter(spec, () => platformOf(this.broker).database());
    },
    async started(this: Host<T>) {
      await this.connect();
      this.documents = documentsOver<T>(this.adapter);
    },
  } as object as Partial<ServiceSchema>;
}
