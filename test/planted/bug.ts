import type { Rule } from "../judge/verdict";

/** A defect that the judge must be able to convict, made from outside: it wraps what the product is built of. */
export interface Bug {
  /** As the environment and the table name it. */
  readonly name: string;
  /** What the product does wrong with it, in one sentence. */
  readonly what: string;
  /** Where it can be planted; embedded first where it can be both. */
  readonly shapes: readonly ("embedded" | "cluster")[];
  /** Faults, as `--faults` names them, without which it may not show. */
  readonly faults: readonly string[];
  /** The rules that may convict it: those that say what it breaks. */
  readonly rules: readonly Rule[];
  /** Before any service is made. */
  plant(): void;
}
