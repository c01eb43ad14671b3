import { platformOf } from "../../../config/platform";
import { audit, moderated } from "../../core/audit";
import type { ActionsOf } from "../../core/contract";
import { callerOf } from "../../core/policy";
import * as rules from "../../core/rules";
import { sendOf } from "../../core/send";
import { roomsOf, type MessagesService } from "../parts";

const attachment = [
  { type: "string", min: 1, max: 200 },
  { type: "object", strict: false, props: { id: rules.id } },
];

/** What people say, and what they do to it. */
export const writing = {
  send: {
    auth: "user",
    visibility: "published",
    params: {
      id: rules.id,
      text: { type: "string", optional: true },
      clientId: { ...rules.clientId, optional: true, nullable: true },
      attachments: { type: "array", optional: true, nullable: true, max: 100, items: attachment },
      replyTo: { type: "string", optional: true, nullable: true, max: 200 },
      threadId: { type: "string", optional: true, nullable: true, max: 200 },
      metadata: { type: "object", strict: false, optional: true, nullable: true },
    },
    async handler(this: MessagesService, ctx) {
      const { message, duplicate } = await this.messages.write(ctx.params.id, callerOf(ctx.meta), sendOf(ctx.params));
      if (duplicate) ctx.meta.$statusCode = 200;
      return message;
    },
  },
  edit: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, text: "string" },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "edit", id: ctx.params.id, text: ctx.params.text });
    },
  },
  remove: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: MessagesService, ctx) {
      const caller = callerOf(ctx.meta);
      const { message, offset } = await this.messages.remove(caller, ctx.params.id);
      const note = moderated(message, offset, caller.id);
      if (note) await audit(ctx, platformOf(this.broker).clock, note);
      return message;
    },
  },
  react: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, emoji: "string|min:1|max:64" },
    handler(this: MessagesService, ctx) {
      const { id, emoji } = ctx.params;
      return this.messages.change(callerOf(ctx.meta), { op: "react", id, emoji, on: true });
    },
  },
  unreact: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id, emoji: "string|min:1|max:64" },
    handler(this: MessagesService, ctx) {
      const { id, emoji } = ctx.params;
      return this.messages.change(callerOf(ctx.meta), { op: "react", id, emoji, on: false });
    },
  },
  pin: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "pin", id: ctx.params.id, on: true });
    },
  },
  unpin: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    handler(this: MessagesService, ctx) {
      return this.messages.change(callerOf(ctx.meta), { op: "pin", id: ctx.params.id, on: false });
    },
  },
  hide: {
    auth: "user",
    visibility: "published",
    params: { id: rules.id },
    async handler(this: MessagesService, ctx) {
      await this.messages.hide(roomsOf(ctx), callerOf(ctx.meta).id, ctx.params.id);
      return null;
    },
  },
} satisfies Partial<ActionsOf<"messages">>;
