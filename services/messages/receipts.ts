import type { Receipt, ReceiptState } from "../core/model";
import type { Marks } from "./message.store";

/**
 * Who of a room's members has got and read a message: a view over the members' marks. The sender is not listed, his own
 * messages are read by sending them.
 */
export function receiptsOf(
  message: { seq: number; senderId: string },
  members: readonly string[],
  marks: readonly Marks[],
): Receipt[] {
  const byUser = new Map(marks.map(mark => [mark.user, mark]));
  return members
    .filter(user => user !== message.senderId)
    .map(userId => ({ userId, state: stateOf(message.seq, byUser.get(userId)) }));
}

/** Read implies delivered; neither mark ever goes back. */
function stateOf(seq: number, marks: Marks | undefined): ReceiptState {
  if (!marks) return "sent";
  if (marks.read >= seq) return "read";
  return marks.delivered >= seq ? "delivered" : "sent";
}
