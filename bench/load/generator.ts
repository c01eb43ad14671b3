import { http } from "./http";
import { fanOut, join } from "./measure";
import type { Order, ReportOf } from "./order";

/**
 * The load generator, a process of its own: `generator.ts ORDER`, an order as JSON, answered by one line of JSON. It ends
 * all its sockets with itself.
 */
function carryOut(order: Order): Promise<ReportOf<Order>> {
  if (order.kind === "fan-out") return fanOut(order);
  return order.kind === "join" ? join(order) : http(order);
}

carryOut(JSON.parse(process.argv[2] ?? "{}") as Order).then(
  report => process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0)),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
