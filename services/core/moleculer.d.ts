import "moleculer";
import type { Policy } from "./policy";

declare module "moleculer" {
  interface ActionSchema {
    /** Who may call this action. Missing: the service does not load. */
    auth?: Policy;
  }
}
