import { loadConfig } from "./config/config";
import { nodeOptions } from "./config/node";

/** Options for moleculer-runner and for `npm start`; everything is decided in config/. */
export = nodeOptions(loadConfig(process.env));
