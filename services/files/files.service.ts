import { join } from "node:path";
import { Readable } from "node:stream";
import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { metricsOf } from "../../config/metrics";
import { platformOf } from "../../config/platform";
import { isChosen } from "../../mixins/nodes";
import { Rounds } from "../../mixins/rounds";
import { call, type ActionsOf, type Caller, type Meta } from "../core/contract";
import { RookeryError } from "../core/errors";
import { browses, type Permission } from "../core/permissions";
import { callerOf } from "../core/policy";
import * as rules from "../core/rules";
import type { BlobStore } from "./blob.store";
import { DiskBlobStore } from "./blob.store.disk";
import { S3BlobStore } from "./blob.store.s3";
import { Collector } from "./collector";
import { contentDisposition } from "./file-name";
import { FILES, Library, type Places, type StoredFile } from "./library";
import { LINK_TTL, Links } from "./links";
import { MediaTypes, TEXT } from "./media-type";

interface FilesService extends Service {
  library: Library;
  links: Links;
  types: MediaTypes;
  blobs: BlobStore;
  collector: Collector;
  collecting: Rounds[];
  sweeper: NodeJS.Timeout;
}

/** Milliseconds without a byte after which an upload is given up, and what it may take as a whole. */
const IDLE = 30_000;
const TOTAL = 600_000;
/** Milliseconds after which what is staged belongs to no upload of any process, and between looks for such. */
const ABANDONED = TOTAL + 300_000;
const SWEEP_EVERY = 300_000;
/** Milliseconds between looks for released files, and how many one look takes. */
const COLLECT_EVERY = 2_000;
const COLLECTED = 200;
/** The same for the walk over all files. */
const WALK_EVERY = 60_000;
const WALKED = 500;

const anyText = "string|max:4096|optional";

/** Files of a user given up at a time. */
const ERASED = 200;

const actions = {
  save: {
    auth: "user",
    visibility: "published",
    streams: true,
    timeout: TOTAL,
    params: {
      name: anyText,
      // What moleculer-web tells beside the stream. Only the name is used.
      $filename: anyText,
      $mimetype: anyText,
      $fieldname: anyText,
      $encoding: anyText,
      $params: { type: "object", optional: true, strict: false },
    },
    handler(this: FilesService, ctx) {
      const { name, $filename } = ctx.params;
      const { stream } = ctx as { stream?: unknown };
      if (!(stream instanceof Readable)) throw new RookeryError("INVALID", "Send a file.");
      return this.library.save(callerOf(ctx.meta).id, name ?? $filename, stream);
    },
  },
  open: {
    // By token or by the signature of a link; either way access is checked here.
    auth: "anyone",
    visibility: "published",
    streams: true,
    params: { id: rules.id, expires: "string|max:20|optional", signature: "string|max:200|optional" },
    async handler(this: FilesService, ctx) {
      const { id, expires, signature } = ctx.params;
      const linked = signature === undefined ? null : this.links.verify(id, expires ?? "", signature);
      // A token ends with its user; a link would outlive him.
      if (linked !== null && !(await isActive(ctx, linked))) throw new RookeryError("NOT_FOUND");
      const user = linked ?? ctx.meta.user?.id;
      if (user === undefined) throw new RookeryError(signature === undefined ? "UNAUTHENTICATED" : "NOT_FOUND");
      const file = await this.library.visible(placesVia(ctx), id, user);
      const stream = await this.library.read(file);
      ctx.meta.$responseHeaders = {
        "Content-Type": file.mimeType === TEXT ? `${TEXT}; charset=utf-8` : file.mimeType,
        "Content-Length": String(file.size),
        "Content-Disposition": contentDisposition(file.name, file.inline),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "private, max-age=300",
      };
      return stream;
    },
  },
  link: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: FilesService, ctx) {
      const user = callerOf(ctx.meta).id;
      const { id } = await this.library.visible(placesVia(ctx), ctx.params.id, user);
      return { url: `/api/files/${id}?${this.links.sign(id, user)}`, expiresIn: LINK_TTL };
    },
  },
  sign: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, ids: { type: "array", items: rules.id, max: 1_000 } },
    handler(this: FilesService, ctx) {
      const { user, ids } = ctx.params;
      return Object.fromEntries(ids.map(id => [id, `/api/files/${id}?${this.links.sign(id, user)}`]));
    },
  },
  exportOwn: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, after: "string|max:200", limit: rules.whole(1, 500) },
    handler(this: FilesService, ctx) {
      const { user, after, limit } = ctx.params;
      return this.library.ownedBy(user, after, limit);
    },
  },
  eraseOwn: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    async handler(this: FilesService, ctx) {
      const { user } = ctx.params;
      for (let after = ""; ;) {
        const files = await this.library.ownedBy(user, after, ERASED);
        await this.collector.release(files.map(({ id }) => id));
        const last = files.at(-1);
        if (!last || files.length < ERASED) return null;
        after = last.id;
      }
    },
  },
  attach: {
    auth: "internal",
    visibility: "public",
    params: { owner: rules.id, room: rules.id, ids: { type: "array", items: rules.id, max: 1_000 } },
    handler(this: FilesService, ctx) {
      const { owner, room, ids } = ctx.params;
      return this.library.attach(owner, room, ids);
    },
  },
  picture: {
    auth: "internal",
    visibility: "public",
    params: { owner: rules.id, id: rules.id },
    handler(this: FilesService, ctx) {
      return this.library.picture(ctx.params.owner, ctx.params.id);
    },
  },
  release: {
    auth: "internal",
    visibility: "public",
    params: { ids: { type: "array", items: rules.id, max: 200 } },
    async handler(this: FilesService, ctx) {
      await this.collector.release(ctx.params.ids);
      return null;
    },
  },
} satisfies ActionsOf<"files">;

const FilesSchema: ServiceSchema<ServiceSettingSchema, never, never, FilesService> = {
  name: "files",
  actions,

  async started(this: FilesService) {
    const platform = platformOf(this.broker);
    const { clock, config, limits } = platform;
    const files = await platform.documents<StoredFile>(FILES);
    this.blobs = config.s3
      ? S3BlobStore.open(config.s3, this.logger)
      : await DiskBlobStore.open(join(config.dataDir, "files"));
    if (config.s3) platform.health.need("blobs", () => this.blobs.check());
    this.types = new MediaTypes();
    const bounds = { size: limits.file, attachments: limits.attachments, idle: IDLE, total: TOTAL };
    this.library = new Library(files, this.blobs, this.types, clock, bounds);
    this.links = new Links(config.jwt.secret, clock);
    const recover = (age: number): Promise<void> =>
      this.library.recover(age).catch(error => this.logger.warn("leftovers of uploads stay for now", error));
    // Alone, nobody else can be at it.
    await recover(config.cluster ? ABANDONED : 0);
    const metrics = metricsOf(this.broker);
    this.collector = new Collector({
      files,
      blobs: this.blobs,
      clock,
      needed: file => isNeeded(this.broker, file),
      failed: (error, about) => this.collecting[0]?.failed(error, about),
      removed: () => metrics.fileRemoved(),
    });
    const rounds = (every: number, work: () => Promise<void>) =>
      new Rounds(async () => (isChosen(this.broker, "files") ? work() : undefined), {
        ...{ every, log: this.logger },
        what: "files that nobody needs stay for now",
      });
    this.collecting = [
      rounds(COLLECT_EVERY, () => this.collector.collect(COLLECTED)),
      rounds(WALK_EVERY, () => this.collector.walk(WALKED)),
    ];
    this.sweeper = setInterval(() => void recover(ABANDONED), SWEEP_EVERY).unref();
  },

  async stopped(this: FilesService) {
    clearInterval(this.sweeper);
    for (const rounds of this.collecting ?? []) rounds.stop();
    await this.types?.close();
    this.blobs?.close();
  },
};

export default FilesSchema;

async function isActive(via: Caller, user: string): Promise<boolean> {
  return (await call(via, "users.names", { ids: [user], active: true })).length > 0;
}

/** Its messages, its owner's picture; and while a room it was sent to is on hold, whatever has become of the message. */
async function isNeeded(via: Caller, { id, owner, rooms }: StoredFile): Promise<boolean> {
  if (await call(via, "users.shows", { user: owner, file: id })) return true;
  if (rooms.length === 0) return false;
  if ((await call(via, "rooms.retentionOf", { rooms })).some(({ hold }) => hold)) return true;
  return call(via, "messages.shows", { file: id, rooms: rooms.map(room => ({ room, visibleFrom: 0 })) });
}

function placesVia(ctx: Context<unknown, Meta> & Caller): Places {
  const { user: caller } = ctx.meta;
  // A link was given to who might open the file, and lasts minutes.
  const byLink = (user: string): boolean => caller?.id !== user;
  return {
    asPicture(user, owner, file) {
      const permissions: readonly Permission[] = caller && !byLink(user) ? caller.permissions : ["users.find"];
      return call(ctx, "users.shows", { user: owner, file, viewer: { id: user, permissions } });
    },
    async inRooms(user, rooms, file) {
      const looksAround = !caller || byLink(user) || browses(caller);
      const access = await call(ctx, "rooms.access", { user, browses: looksAround, rooms });
      const readable = access.filter(({ denied }) => denied === undefined);
      if (readable.length === 0) return false;
      const places = readable.map(({ room, visibleFrom }) => ({ room, visibleFrom }));
      return call(ctx, "messages.shows", { file, rooms: places });
    },
  };
}
