import type { UserOperation } from "./contract";
import type { Metadata } from "./model";

/** A message as clients send it, over any door. */
export interface SendBody {
  text?: string;
  clientId?: string | null;
  /** Ids, or objects with one. */
  attachments?: (string | { id: string })[] | null;
  replyTo?: string | null;
  threadId?: string | null;
  metadata?: Metadata | null;
}

/** The body of a send as an operation: absent, null and empty are one. */
export function sendOf({ text, clientId, attachments, replyTo, threadId, metadata }: SendBody): UserOperation {
  return {
    op: "send",
    text: text ?? "",
    ...(clientId != null && { clientId }),
    ...(attachments?.length && { attachments: attachments.map(item => (typeof item === "string" ? item : item.id)) }),
    ...(replyTo != null && { replyTo }),
    ...(threadId != null && { threadId }),
    ...(metadata != null && { metadata }),
  };
}
