import "moleculer";
import type { AuditDeclaration } from "./audit";
import type { Policy } from "./policy";

declare module "moleculer" {
  interface ActionSchema {
    /** Who may call this action. Missing: the service does not load. */
    auth?: Policy;
    /** Every call is recorded in the audit log. */
    audit?: AuditDeclaration;
    /** Takes or gives a stream: between nodes its calls go over a connection of their own. */
    streams?: true;
  }
}
