import Sequencer from "@jest/test-sequencer";

/**
 * Files that take longest, in the order they begin: a long one that begins last costs its whole length, since one worker
 * waits for the other. What needs both cores stands beside what mostly waits.
 */
const FIRST = [
  "faults/cluster",
  "faults/presence",
  "integration/local-cluster",
  "faults/restore",
  "acceptance/wires.patience",
  "browser/page",
  "faults/chaos.embedded",
  "faults/wires",
  "property/property",
  "planted/planted",
  // Against a cluster: those that have one of their own.
  "acceptance/input",
  "acceptance/tokens",
  "acceptance/rates",
  "acceptance/secrets",
  "acceptance/auth",
  "acceptance/signalr",
  "acceptance/start",
];

const place = ({ path }) => {
  const at = FIRST.findIndex(name => path.endsWith(`/test/${name}.test.ts`));
  return at < 0 ? FIRST.length : at;
};

/** The rest as Jest has it: by the time they took here before, else by size. */
export default class SlowFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((one, other) => place(one) - place(other));
  }
}
