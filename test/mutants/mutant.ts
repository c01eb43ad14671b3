/** One line of the product, broken; and the test that must fail then. */
export interface Mutant {
  /** What the design says and the product no longer does. */
  breaks: string;
  file: string;
  /** Text that stands in the file exactly once, and what it becomes. */
  from: string;
  to: string;
  /** Files of tests, and the names of those meant as a pattern. */
  test: string;
  named: string;
}

/** The sentences of a section of the design; file, text, what becomes of it, test and name. */
export const section = (name: string, rows: readonly [string, string, string, string, string, string][]): Mutant[] =>
  rows.map(([sentence, file, from, to, test, named]) => ({
    breaks: `${name}: ${sentence}`,
    file,
    from,
    to,
    test,
    named,
  }));
