/** Lines kept; what was before is of no help any more. */
const KEPT = 100_000;

/** What processes wrote last. */
export class Output {
  private lines: string[] = [];

  add(line: string): void {
    this.lines.push(line);
    if (this.lines.length > 2 * KEPT) this.lines = this.lines.slice(-KEPT);
  }

  get text(): string {
    return this.lines.slice(-KEPT).join("\n");
  }
}
