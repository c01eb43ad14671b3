import { createReadStream, createWriteStream, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Readable } from "node:stream";
import type { Context, ServiceSchema } from "moleculer";
import type { Meta, UploadFields } from "../../services/core/contract";
import { RookeryError } from "../../services/core/errors";
import { id, password, username, email, paging, whole } from "../../services/core/rules";
import { temporaryFolder } from "../support/temp";

/** Small services that keep the contract far enough to see what the gateway hands them, and what it makes of answers. */

interface Seen {
  action: string;
  params: unknown;
  meta: Meta;
  requestID: string | null;
}

export class Stubs {
  /** Every call that reached an action, oldest first. */
  readonly seen: Seen[] = [];
  readonly folder = temporaryFolder();
  revocations: { n: number; session: string }[] = [];

  get last(): Seen {
    return this.seen.at(-1) as Seen;
  }

  private note<T>(ctx: Context<T, Meta>): T {
    this.seen.push({
      action: ctx.action?.name ?? "",
      params: ctx.params,
      meta: { ...ctx.meta },
      requestID: ctx.requestID,
    });
    return ctx.params;
  }

  get services(): ServiceSchema[] {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const stubs = this;
    const user = { auth: "user", visibility: "published" } as const;
    const open = { auth: "anyone", visibility: "published" } as const;
    const profile = (name: string) => ({ id: name, username: name, roles: ["User"], status: "offline", createdAt: "" });
    const signedIn = { user: profile("u1"), accessToken: "a", refreshToken: "r", expiresIn: 600 };
    return [
      {
        name: "auth",
        actions: {
          register: {
            ...open,
            params: { username, email, password },
            handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), signedIn),
          },
          login: {
            ...open,
            params: { username: "string", password: "string" },
            handler(ctx: Context<{ password: string }, Meta>) {
              if (stubs.note(ctx).password !== "right") throw new RookeryError("UNAUTHENTICATED", "Wrong.");
              return signedIn;
            },
          },
          refresh: { ...open, params: { refreshToken: "string" }, handler: () => signedIn },
          logout: {
            ...open,
            params: { refreshToken: "string|optional" },
            handler(ctx: Context<{ refreshToken?: string }, Meta>) {
              if (!stubs.note(ctx).refreshToken && !ctx.meta.user) throw new RookeryError("UNAUTHENTICATED");
              return null;
            },
          },
          revocations: {
            auth: "internal",
            visibility: "public",
            params: { after: "number" },
            handler: (ctx: Context<{ after: number }>) => ({
              head: stubs.revocations.at(-1)?.n ?? 0,
              items: stubs.revocations.filter(({ n }) => n > ctx.params.after),
            }),
          },
        },
      },
      {
        name: "users",
        actions: {
          me: { ...user, params: {}, handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), profile("me")) },
          get: {
            ...user,
            params: { id },
            handler(ctx: Context<{ id: string }, Meta>) {
              if (stubs.note(ctx).id === "boom") throw new TypeError("boom secret");
              if (ctx.params.id === "thief") ctx.meta.user = { ...ctx.meta.user, id: "admin" } as never;
              return profile(ctx.params.id);
            },
          },
          list: {
            ...user,
            params: { ...paging, search: "string|optional" },
            handler(ctx: Context<{ page?: number }, Meta>) {
              return { items: [], page: stubs.note(ctx).page ?? 1, pageSize: 50, total: 0 };
            },
          },
          update: {
            ...user,
            params: { id, displayName: "string|optional", roles: { type: "array", items: "string", optional: true } },
            handler: (ctx: Context<{ id: string }, Meta>) => profile(stubs.note(ctx).id),
          },
          remove: { ...user, params: { id }, handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), null) },
          record: { auth: "internal", visibility: "public", params: { id }, handler: () => ({ secret: true }) },
        },
      },
      {
        name: "rooms",
        actions: {
          create: {
            auth: { permission: "channels.create" },
            visibility: "published",
            params: { name: "string", isPrivate: "boolean|optional", topic: "string|optional" },
            handler: (ctx: Context<{ name: string }, Meta>) => ({ id: "room-1", name: stubs.note(ctx).name }),
          },
          get: {
            ...user,
            params: { id },
            handler: (ctx: Context<{ id: string }, Meta>) => ({ id: stubs.note(ctx).id }),
          },
          join: { ...user, params: { id }, handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), null) },
          removeMember: {
            ...user,
            params: { id, userId: id },
            handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), null),
          },
        },
      },
      {
        name: "messages",
        actions: {
          send: {
            ...user,
            params: { id, text: "string", clientId: "string|optional", metadata: { type: "any", optional: true } },
            handler(ctx: Context<{ id: string; text: string; clientId?: string }, Meta>) {
              const { text, clientId } = stubs.note(ctx);
              if (clientId === "again") ctx.meta.$statusCode = 200;
              return { id: "message-1", text };
            },
          },
          history: {
            ...user,
            params: { id, ...paging, before: { ...whole(0), optional: true }, limit: { ...whole(1), optional: true } },
            handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), { items: [] }),
          },
          react: {
            ...user,
            params: { id, emoji: "string" },
            handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), { id: "message-1" }),
          },
          read: {
            ...user,
            params: { id, seq: whole(0) },
            handler: (ctx: Context<never, Meta>) => (stubs.note(ctx), null),
          },
        },
      },
      {
        name: "files",
        actions: {
          save: {
            ...user,
            async handler(ctx: Context<UploadFields, Meta> & { stream?: Readable }) {
              stubs.note(ctx);
              if (ctx.params.name === "refused") throw new RookeryError("FORBIDDEN");
              const file = join(stubs.folder, "file");
              const target = createWriteStream(file);
              const closed = new Promise<void>(resolve => target.once("close", () => resolve()));
              try {
                await pipeline(ctx.stream as Readable, target);
              } catch (error) {
                // Given up while it was being opened, it would come after its removal.
                await closed;
                rmSync(file, { force: true });
                throw error;
              }
              return { id: "file", url: "/api/files/file", name: ctx.params.name ?? ctx.params.$filename ?? "" };
            },
          },
          open: {
            ...open,
            params: { id, expires: "string|optional", signature: "string|optional" },
            handler(ctx: Context<{ id: string; signature?: string }, Meta>) {
              const file = join(stubs.folder, stubs.note(ctx).id);
              if (!ctx.meta.user && ctx.params.signature !== "good") throw new RookeryError("UNAUTHENTICATED");
              if (!existsSync(file)) throw new RookeryError("NOT_FOUND");
              ctx.meta.$responseHeaders = { "Content-Type": "text/plain", "Content-Disposition": "attachment" };
              return createReadStream(file);
            },
          },
        },
      },
    ] as unknown as ServiceSchema[];
  }
}
