import type { Connection } from "./connection";
import type { FanOutOrder } from "./order";

/** Milliseconds after which a refused message is followed by the next. */
const PAUSE = 20;

/** Begins to send and goes on until the process ends. */
export function send(order: FanOutOrder, connections: readonly Connection[]): void {
  const senders = connections.slice(0, order.senders);
  if (order.rate === undefined) closedLoop(order, senders);
  else openLoop(order, order.rate, senders);
}

/** A message that came back makes room for the next one. */
function closedLoop({ window, textBytes }: FanOutOrder, senders: readonly Connection[]): void {
  for (const sender of senders) {
    const own = new Set<number>();
    const next = (): void => void own.add(sender.send(textBytes));
    sender.onSettled = (serial, refused) => {
      if (!own.delete(serial)) return;
      if (refused) setTimeout(next, PAUSE);
      else next();
    };
    for (let n = 0; n < window; n++) next();
  }
}

/** As many as are due by the clock, by each sender in turn, whether earlier ones came back or not. */
function openLoop({ textBytes }: FanOutOrder, rate: number, senders: readonly Connection[]): void {
  const began = performance.now();
  let sent = 0;
  for (const sender of senders) sender.onSettled = () => undefined;
  setInterval(() => {
    for (const due = ((performance.now() - began) / 1_000) * rate; sent < due; sent++)
      (senders[sent % senders.length] as Connection).send(textBytes);
  }, 1);
}
