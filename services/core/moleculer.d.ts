import "moleculer";
import type { Policy } from "./policy";

declare module "moleculer" {
  interface ActionSchema {
    /** Who may call this action. Missing: the service does not load. */
    auth?: Policy;
    /** Takes or gives a stream: between nodes its calls go over a connection of their own. */
    streams?: true;
  }
}
