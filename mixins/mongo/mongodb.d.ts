/** What the driver does not declare; see driver-connection.ts. */
declare module "mongodb/lib/cmap/connection" {
  import type { Socket } from "node:net";

  export class Connection {
    readonly socket: Socket;
    readonly closed: boolean;
    cleanup(error: Error): void;
  }
}
