import type { Mutant } from "./mutant";
import { ofBounds } from "./mutants.bounds";
import { ofEntries } from "./mutants.entries";
import { ofGateways } from "./mutants.gateways";
import { ofLeaving } from "./mutants.leaving";
import { ofMarks } from "./mutants.marks";
import { ofPublishing } from "./mutants.publishing";
import { ofReading } from "./mutants.reading";
import { ofWriting } from "./mutants.writing";

/** In the order of the sentences of the design. */
export const MUTANTS: readonly Mutant[] = [
  ...ofEntries,
  ...ofWriting,
  ...ofPublishing,
  ...ofGateways,
  ...ofLeaving,
  ...ofReading,
  ...ofMarks,
  ...ofBounds,
];
