import { LOG } from "./log";
import { SENDS } from "./sends";
import { DELIVERY } from "./delivery";
import { PEOPLE } from "./people";
import type { Mutation } from "./mutation";

/** Ways to make a good history a bad one, by the rules that must convict it. */
export const MUTATIONS: readonly Mutation[] = [...LOG, ...SENDS, ...DELIVERY, ...PEOPLE];
