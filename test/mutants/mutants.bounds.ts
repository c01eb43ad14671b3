import { section } from "./mutant";
import { writer, log, group, writers, connection, unit, writing, connections, ways } from "./places";

export const ofBounds = section("Bounds", [
  [
    "requests of a room",
    writer,
    "this.queue.length >= QUEUE",
    "this.queue.length >= QUEUE + 100",
    writing,
    "a bounded number",
  ],
  [
    "requests of a node",
    log,
    "if (this.pending >= WAITING)",
    "if (this.pending > WAITING + 1)",
    writing,
    "a bounded number",
  ],
  [
    "entries under way from a gateway",
    writers,
    "if (this.pending >= PENDING)",
    "if (this.pending > PENDING)",
    ways,
    "10,000",
  ],
  [
    "what waits for one round trip",
    group,
    "if (this.waiting.length >= WAITING)",
    "if (this.waiting.length > WAITING)",
    unit("group-commit"),
    "20,000",
  ],
  [
    "reads and writes of a connection",
    connection,
    "if (this.underWay.size >= QUEUE)",
    "if (this.underWay.size > QUEUE)",
    connections,
    "20,000",
  ],
]);
