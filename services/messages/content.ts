import { hash } from "node:crypto";
import type { ImportedMessage, ImportOperation, UserOperation } from "../core/contract";
import { invalidField } from "../core/errors";
import { isId } from "../core/ids";
import { checkPlain } from "../core/json";
import type { Limits } from "../core/limits";
import type { Metadata } from "../core/model";

/** Rules about what is sent that hold whatever the room looks like. They cannot change, so they come before the clientId. */

type Send = Extract<UserOperation, { op: "send" }>;

const CLIENT_ID = /^[A-Za-z0-9_-]{1,64}$/;
const WELL_NAMED = "Use 1 to 64 of A-Z, a-z, 0-9, _ and -.";
/** One emoji as Unicode recommends it, or a short name like `:party_parrot:`. */
const EMOJI = new RegExp("^(?:\\p{RGI_Emoji}|:[a-z0-9_+\\-]{1,32}:)$", "v");

/** Throws INVALID or TOO_LARGE for an operation that no room would take. */
export function checkOperation(operation: UserOperation, limits: Limits): void {
  switch (operation.op) {
    case "send":
      return checkSend(operation, limits);
    case "edit":
      // Whether it may be empty depends on the message.
      return checkText(operation.text, limits, true);
    case "react":
      if (!EMOJI.test(operation.emoji)) throw invalidField("emoji", "Give one emoji.");
      return;
    case "delete":
    case "pin":
      return;
  }
}

/** The same of what an operator imports: what it says of others is believed, what it looks like is not. */
export function checkImport(operation: ImportOperation, limits: Limits): void {
  if (operation.op === "import") return checkImported(operation.message, limits);
  if ("by" in operation && !isId(operation.by)) throw invalidField("by", "Give the id of a user.");
  if ("at" in operation) checkTime("at", operation.at);
  if ("changeId" in operation && !CLIENT_ID.test(operation.changeId)) throw invalidField("changeId", WELL_NAMED);
  if (operation.op === "importVersion") checkText(operation.text, limits, true);
  if (operation.op === "importReaction" && !EMOJI.test(operation.emoji)) throw invalidField("emoji", "Give one emoji.");
}

function checkImported(message: ImportedMessage, limits: Limits): void {
  const { id, sender, clientId, text, createdAt, editedAt, metadata } = message;
  if (!isId(id) || !isId(sender)) throw invalidField("id", "Give ids of ours.");
  if (!CLIENT_ID.test(clientId)) throw invalidField("clientId", WELL_NAMED);
  // What was deleted elsewhere says nothing here.
  checkText(text, limits, true);
  checkTime("createdAt", createdAt);
  if (editedAt !== undefined) checkTime("editedAt", editedAt);
  if (metadata !== undefined) checkPlain(metadata, "metadata", limits.metadata);
}

function checkTime(field: string, value: string): void {
  const time = Date.parse(value);
  if (Number.isNaN(time) || new Date(time).toISOString() !== value) throw invalidField(field, "Give a time in UTC.");
}

function checkSend({ text, clientId, attachments = [], metadata }: Send, limits: Limits): void {
  if (clientId !== undefined && !CLIENT_ID.test(clientId)) throw invalidField("clientId", WELL_NAMED);
  if (attachments.length > limits.attachments) throw invalidField("attachments", `At most ${limits.attachments}.`);
  if (new Set(attachments).size !== attachments.length) throw invalidField("attachments", "Name each file once.");
  checkText(text, limits, attachments.length > 0);
  if (metadata !== undefined) checkPlain(metadata, "metadata", limits.metadata);
}

function checkText(text: string, limits: Limits, mayBeEmpty: boolean): void {
  if (text.length === 0 && !mayBeEmpty) throw invalidField("text", "Give a text.");
  if (!text.isWellFormed()) throw invalidField("text", "The text is not well-formed Unicode.");
  // Counted in characters as people see code points; the cheap bound first.
  if (text.length > limits.text && (text.length > 2 * limits.text || [...text].length > limits.text))
    throw invalidField("text", `At most ${limits.text} characters.`);
}

/** Digest of what was sent, by which a repeat is told from another message. Absent, null, [] and {} are equal. */
export function contentHash({
  text,
  attachments = [],
  replyTo,
  threadId,
  metadata,
}: Pick<Send, "text" | "attachments" | "replyTo" | "threadId" | "metadata">): string {
  const parts = [text, attachments, replyTo ?? null, metadata === undefined ? null : canonical(metadata)];
  // Only where there is one: the digests of what was sent before there were threads stay as they are.
  if (threadId !== undefined) parts.push(threadId);
  return hash("sha256", JSON.stringify(parts), "base64url").slice(0, 22);
}

/** Null for an empty object; keys in order, so that the order they came in does not count. */
function canonical(metadata: Metadata): unknown {
  const sorted = sortKeys(metadata) as object;
  return Object.keys(sorted).length === 0 ? null : sorted;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
