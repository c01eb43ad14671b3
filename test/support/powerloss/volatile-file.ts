/** Bytes a disk writes whole or not at all. */
const SECTOR = 512;

/** A write, or the size a file was cut or grown to. */
interface Change {
  at: number;
  data: Buffer | null;
}

/** How much of what was not synced a disk has after the loss of power. */
export type Survival = "none" | "all" | "writes" | "sectors";

/**
 * A file as its disk may have it: what was synced is there; of what came after, every sector may have stopped at any of its
 * states, in any order among sectors, and so may the size.
 */
export class VolatileFile {
  private changes: Change[] = [];
  /** How many changes there were when each sync under way began. */
  private readonly syncs = new Map<number, number>();

  /** Bytes on the disk, and room to grow: a file is synced a thousand times, and must not be copied as often. */
  private disk: Buffer;
  private size: number;

  constructor(durable: Buffer = Buffer.alloc(0)) {
    this.disk = Buffer.from(durable);
    this.size = durable.length;
  }

  /** Changes that a loss of power may take. */
  get pending(): number {
    return this.changes.length;
  }

  write(at: number, data: Buffer): void {
    this.changes.push({ at, data });
  }

  truncate(at: number): void {
    this.changes.push({ at, data: null });
  }

  syncBegins(sync: number): void {
    this.syncs.set(sync, this.changes.length);
  }

  syncEnds(sync: number): void {
    const covered = this.syncs.get(sync) ?? 0;
    this.syncs.delete(sync);
    if (covered === 0) return;
    this.keep(this.changes.slice(0, covered));
    this.changes = this.changes.slice(covered);
    for (const [other, count] of this.syncs) this.syncs.set(other, Math.max(0, count - covered));
  }

  after(survival: Survival, random: () => number): Buffer {
    const { changes } = this;
    const durable = this.disk.subarray(0, this.size);
    if (survival === "none" || changes.length === 0) return durable;
    if (survival === "all") return applied(durable, changes);
    const kept = changes.map(() => random() < 0.5);
    const sizes = sizesOf(durable.length, changes);
    const disk = Buffer.alloc(Math.max(...sizes));
    durable.copy(disk);
    for (const [sector, indexes] of sectorsOf(durable.length, changes)) {
      // A sector shows what the page cache held at some moment: all its changes up to one, never a later without an earlier.
      const last =
        survival === "sectors"
          ? Math.floor(random() * (indexes.length + 1)) - 1
          : indexes.findLastIndex(index => kept[index]);
      for (const index of indexes.slice(0, last + 1)) change(disk, changes[index] as Change, sector * SECTOR, SECTOR);
    }
    return disk.subarray(0, sizes[Math.floor(random() * sizes.length)]);
  }

  private keep(changes: readonly Change[]): void {
    const sizes = sizesOf(this.size, changes);
    const most = Math.max(...sizes);
    if (most > this.disk.length) {
      const larger = Buffer.alloc(2 * most);
      this.disk.copy(larger, 0, 0, this.size);
      this.disk = larger;
    }
    for (const one of changes) change(this.disk, one, 0, most);
    this.size = sizes.at(-1) ?? this.size;
  }
}

/** The size before the first change and after each. */
function sizesOf(size: number, changes: readonly Change[]): number[] {
  const sizes = [size];
  for (const { at, data } of changes) sizes.push((size = data ? Math.max(size, at + data.length) : at));
  return sizes;
}

/** The sectors that changes touch, with the indexes of those that do, in order. */
function sectorsOf(durable: number, changes: readonly Change[]): Map<number, number[]> {
  const touched = new Map<number, number[]>();
  const sizes = sizesOf(durable, changes);
  changes.forEach(({ at, data }, index) => {
    const end = data ? at + data.length : (sizes[index] as number);
    for (let sector = Math.floor(at / SECTOR); sector * SECTOR < end; sector++) {
      const known = touched.get(sector);
      if (known) known.push(index);
      else touched.set(sector, [index]);
    }
  });
  return touched;
}

function applied(durable: Buffer, changes: readonly Change[]): Buffer {
  const sizes = sizesOf(durable.length, changes);
  const disk = Buffer.alloc(Math.max(...sizes));
  durable.copy(disk);
  for (const one of changes) change(disk, one, 0, disk.length);
  return disk.subarray(0, sizes.at(-1));
}

/** Applies the part of a change that falls into a range. What is cut off reads as zero if the file grows again. */
function change(disk: Buffer, { at, data }: Change, start: number, length: number): void {
  const from = Math.max(at, start);
  const to = Math.min(start + length, disk.length, data ? at + data.length : Infinity);
  if (to <= from) return;
  if (data) data.copy(disk, from, from - at, to - at);
  else disk.fill(0, from, to);
}
