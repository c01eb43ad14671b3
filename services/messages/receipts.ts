import type { Receipt, ReceiptState } from "../core/model";
import type { Marks, ReadMark } from "./message.store";

/**
 * Who of a room's members has got and read a message, a deleted one too: a view over the members' marks. Listed are those who
 * were there when it was sent and still are: the mark of who came later started beyond it, and says nothing of it. The sender
 * is not, his own messages are read by sending them. A reply is read in its thread, by those who have part in it.
 */
export function receiptsOf(
  message: { offset: number; seq: number; sender: string },
  members: readonly string[],
  marks: readonly Marks[],
  inThread: readonly ReadMark[] | null = null,
): Receipt[] {
  const byUser = new Map(marks.map(mark => [mark.user, mark]));
  const readers = new Map((inThread ?? marks).map(({ user, read }) => [user, read]));
  return members
    .filter(user => user !== message.sender && (byUser.get(user)?.joined ?? 0) < message.offset)
    .map(userId => ({ userId, state: stateOf(message.seq, byUser.get(userId), readers.get(userId)) }));
}

/** How many are in each state. */
export function countsOf(receipts: readonly Receipt[]): Record<ReceiptState, number> {
  const counts = { sent: 0, delivered: 0, read: 0 };
  for (const { state } of receipts) counts[state]++;
  return counts;
}

/** Read implies delivered; neither mark ever goes back. */
function stateOf(seq: number, marks: Marks | undefined, read = 0): ReceiptState {
  if (read >= seq) return "read";
  return marks && marks.delivered >= seq ? "delivered" : "sent";
}
