import type { Context } from "moleculer";
import { platformOf } from "../../../config/platform";
import type { ActionsOf, Meta, Paging } from "../../core/contract";
import { RookeryError } from "../../core/errors";
import type { Page, Related } from "../../core/model";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { allShown, type UsersService } from "../parts";
import type { Other } from "../relations";

const nothing = {};
const others = { type: "array", max: 1_000, items: rules.id } as const;

/** Friends, requests and blocks, and what others must know of them. */
export const relations = {
  friends: {
    auth: "user",
    visibility: "published",
    params: rules.paging,
    async handler(this: UsersService, ctx) {
      return page(this, ctx, await this.relations.friendsOf(callerOf(ctx.meta).id));
    },
  },
  friendIds: {
    auth: "user",
    visibility: "published",
    params: nothing,
    async handler(this: UsersService, ctx) {
      return { items: (await this.relations.friendsOf(callerOf(ctx.meta).id)).map(({ id }) => id) };
    },
  },
  requests: {
    auth: "user",
    visibility: "published",
    params: nothing,
    async handler(this: UsersService, ctx) {
      const { incoming, outgoing } = await this.relations.requestsOf(callerOf(ctx.meta).id);
      return { incoming: await people(this, ctx, incoming), outgoing: await people(this, ctx, outgoing) };
    },
  },
  befriend: {
    auth: "user",
    visibility: "published",
    params: { userId: rules.id },
    async handler(this: UsersService, ctx) {
      const { id, deactivatedAt } = await this.directory.get(ctx.params.userId);
      if (deactivatedAt !== undefined) throw new RookeryError("NOT_FOUND");
      const caller = callerOf(ctx.meta);
      await this.sight.ask(caller, id);
      return { state: await this.relations.befriend(caller.id, id, () => this.sight.mayRequest(caller, id)) };
    },
  },
  unfriend: {
    auth: "user",
    visibility: "published",
    params: { userId: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = await this.directory.get(ctx.params.userId);
      await this.relations.unfriend(callerOf(ctx.meta).id, id);
      return null;
    },
  },
  blocks: {
    auth: "user",
    visibility: "published",
    params: rules.paging,
    async handler(this: UsersService, ctx) {
      return page(this, ctx, await this.relations.blocksOf(callerOf(ctx.meta).id));
    },
  },
  block: {
    auth: "user",
    visibility: "published",
    params: { userId: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = await this.directory.get(ctx.params.userId);
      await this.sight.ask(callerOf(ctx.meta), id);
      await this.relations.block(callerOf(ctx.meta).id, id);
      return null;
    },
  },
  unblock: {
    auth: "user",
    visibility: "published",
    params: { userId: rules.id },
    async handler(this: UsersService, ctx) {
      const { id } = await this.directory.get(ctx.params.userId);
      await this.relations.unblock(callerOf(ctx.meta).id, id);
      return null;
    },
  },
  blocksAmong: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, others },
    handler(this: UsersService, ctx) {
      return this.sight.blocksAmong(ctx.params.user, ctx.params.others);
    },
  },
  closedTo: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id, others },
    handler(this: UsersService, ctx) {
      return this.sight.closedTo(ctx.params.user, ctx.params.others);
    },
  },
  unseen: {
    auth: "internal",
    visibility: "public",
    params: {
      asks: {
        type: "array",
        max: 1_000,
        items: { type: "object", props: { viewer: rules.id, finds: "boolean", users: others } },
      },
    },
    handler(this: UsersService, ctx) {
      return this.sight.unseen(ctx.params.asks);
    },
  },
  recentRelations: {
    auth: "internal",
    visibility: "public",
    params: { within: rules.whole(1) },
    async handler(this: UsersService, ctx) {
      const { clock } = platformOf(this.broker);
      return { changes: await this.sight.changedSince(clock.now() - ctx.params.within) };
    },
  },
  exportRelations: {
    auth: "internal",
    visibility: "public",
    params: { user: rules.id },
    async handler(this: UsersService, ctx) {
      const { user } = ctx.params;
      const told = (found: Other[]) => found.map(({ id, since }) => ({ user: id, since }));
      const [friends, blocks, preferences] = await Promise.all([
        this.relations.friendsOf(user),
        this.relations.blocksOf(user),
        this.preferences.of(user),
      ]);
      return { friends: told(friends), blocks: told(blocks), preferences };
    },
  },
} satisfies Partial<ActionsOf<"users">>;

async function page(service: UsersService, ctx: Context<Paging, Meta>, all: Other[]): Promise<Page<Related>> {
  const { page: number, pageSize } = rules.pageOf(ctx.params, platformOf(service.broker).limits);
  const items = await people(service, ctx, all.slice((number - 1) * pageSize, number * pageSize));
  return { items, page: number, pageSize, total: all.length };
}

/** Users shown at once: presence takes no more. */
const SHOWN = 1_000;

/** Without those who have gone. */
async function people(service: UsersService, ctx: Context<unknown, Meta>, all: Other[]): Promise<Related[]> {
  const wanted = all.slice(0, SHOWN);
  const users = await allShown(service, ctx, await service.directory.many(wanted.map(({ id }) => id)));
  const byId = new Map(users.map(user => [user.id, user]));
  return wanted.flatMap(({ id, since }) => {
    const user = byId.get(id);
    return user ? [{ user, since }] : [];
  });
}
