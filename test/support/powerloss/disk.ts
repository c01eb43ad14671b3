import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { powerlossLibrary } from "./library";
import { recordsIn, type JournalRecord } from "./journal";
import { VolatileFile, type Survival } from "./volatile-file";

type Node = VolatileFile | "folder";
/** A change of names in one folder, which is durable once that folder is synced. */
interface Naming {
  folder: string;
  path: string;
  node: Node | null;
  /** The name it had before; it goes when the new one comes, also in another folder. */
  from?: string;
}

/** What power took with it. */
export interface Loss {
  /** Files that had changes which were not synced, and how much of those is left. */
  files: Record<string, Survival>;
  /** Names made, moved or removed that were not synced: how many there were, and how many the disk has. */
  names: { pending: number; kept: number };
}

const SURVIVALS: readonly Survival[] = ["none", "all", "writes", "sectors"];

/**
 * A folder as the disk under it may have it. Fed with the calls of a process in their order; at any moment it can tell what
 * would be there had the power gone: what was synced, and a random part of the rest.
 */
export class VolatileFolder {
  private readonly now = new Map<string, Node>();
  private readonly durable: Map<string, Node>;
  private namings: Naming[] = [];
  private readonly inodes = new Map<number, { node: Node; path: string }>();
  private readonly folderSyncs = new Map<number, Naming[]>();

  /** @param base what was there at first, all of it durable */
  constructor(base: string) {
    this.now.set("", "folder");
    for (const entry of readdirSync(base, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(base.length + 1);
      if (name.endsWith("-shm")) continue;
      this.now.set(name, entry.isDirectory() ? "folder" : new VolatileFile(readFileSync(path)));
    }
    this.durable = new Map(this.now);
  }

  apply(record: JournalRecord): void {
    switch (record.kind) {
      case "open":
      case "create": {
        const { kind, inode, path } = record;
        const known = kind === "open" ? this.now.get(path) : undefined;
        const node = known ?? new VolatileFile();
        this.inodes.set(inode, { node, path });
        if (!known) this.name(path, node);
        return;
      }
      case "mkdir":
        return this.name(record.path, "folder");
      case "unlink":
        return this.name(record.path, null);
      case "rename":
      case "link": {
        const node = this.now.get(record.from);
        if (node === "folder" || !node) throw new Error(`${record.kind} of ${record.from}: only files are followed`);
        return this.name(record.to, node, record.kind === "rename" ? record.from : undefined);
      }
      default:
        return this.change(record);
    }
  }

  /** Writes to `into`, made anew, what is left after a loss of power now. May be asked again. */
  lose(random: () => number, into: string): Loss {
    const left = new Map(this.durable);
    const stops = new Map<string, number>();
    const loss: Loss = { files: {}, names: { pending: this.namings.length, kept: 0 } };
    for (const naming of this.namings) {
      const { folder } = naming;
      // Of one folder the changes reach the disk in their order.
      const many = this.namings.filter(naming => naming.folder === folder).length;
      const stop = stops.get(folder) ?? Math.floor(random() * (many + 1));
      stops.set(folder, stop - 1);
      if (stop <= 0) continue;
      loss.names.kept++;
      carryOut(left, naming);
    }
    mkdirSync(into, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(into)) rmSync(join(into, name), { recursive: true, force: true });
    const reachable = (path: string): boolean =>
      path === "" || (left.get(path) === "folder" && reachable(parentOf(path)));
    for (const [path, node] of [...left].sort(([a], [b]) => a.length - b.length)) {
      if (path === "" || !reachable(parentOf(path))) continue;
      if (node === "folder") {
        mkdirSync(join(into, path), { mode: 0o700 });
        continue;
      }
      const survival = SURVIVALS[Math.floor(random() * SURVIVALS.length)] as Survival;
      if (node.pending > 0) loss.files[path] = survival;
      writeFileSync(join(into, path), node.after(survival, random), { mode: 0o600 });
    }
    return loss;
  }

  private change(record: Exclude<JournalRecord, { path: string } | { from: string }>): void {
    const { node, path } = this.inodes.get(record.inode) ?? {};
    if (!node || path === undefined) return;
    if (node === "folder") {
      if (record.kind === "syncBegin")
        this.folderSyncs.set(
          record.sync,
          this.namings.filter(({ folder }) => folder === path),
        );
      else if (record.kind === "syncEnd") this.keep(this.folderSyncs.get(record.sync) ?? []);
    } else if (record.kind === "write") node.write(record.at, record.data);
    else if (record.kind === "truncate") node.truncate(record.at);
    else if (record.kind === "syncBegin") node.syncBegins(record.sync);
    else node.syncEnds(record.sync);
  }

  private name(path: string, node: Node | null, from?: string): void {
    const naming = { folder: parentOf(path), path, node, from };
    carryOut(this.now, naming);
    this.namings.push(naming);
  }

  private keep(namings: readonly Naming[]): void {
    for (const naming of namings) carryOut(this.durable, naming);
    const done = new Set(namings);
    this.namings = this.namings.filter(naming => !done.has(naming));
  }
}

function carryOut(names: Map<string, Node>, { path, node, from }: Naming): void {
  if (from !== undefined) names.delete(from);
  if (node) names.set(path, node);
  else names.delete(path);
}

const parentOf = (path: string): string => (dirname(path) === "." ? "" : dirname(path));

/** The disk under the folder of a process that is started with `environment`. */
export class RecordedDisk {
  /**
   * @param folder what the process keeps; an absolute path without symbolic links
   * @param record where the record is kept, outside of it; made anew at each start of the process
   */
  constructor(
    readonly folder: string,
    readonly record: string,
    private readonly library: string | null = powerlossLibrary(),
  ) {}

  /** What the process needs in its environment. Throws where the library could not be compiled. */
  get environment(): Record<string, string> {
    if (!this.library) throw new Error("There is no C compiler");
    return {
      LD_PRELOAD: this.library,
      POWERLOSS_FOLDER: this.folder,
      POWERLOSS_RECORD: this.record,
      POWERLOSS_PROGRAM: realpathSync(process.execPath),
      POWERLOSS_DELAY: this.delayFile,
      // Writes by way of io_uring would pass the library by.
      UV_USE_IO_URING: "0",
    };
  }

  /** A number of milliseconds in this file is added to each sync while it is there. */
  get delayFile(): string {
    return join(this.record, "delay");
  }

  /** This moment: what the process was told to be done before it is in front of it. */
  get moment(): number {
    return statSync(this.journal).size;
  }

  /** Puts what a disk would have in place of the folder. The process must be dead. */
  lose(random: () => number): Loss {
    if (this.moment === 0) throw new Error(`Nothing was recorded of ${this.folder}: the process was not followed`);
    const state = new VolatileFolder(this.base);
    for (const { record } of recordsIn(readFileSync(this.journal))) state.apply(record);
    return state.lose(random, this.folder);
  }

  /** The folder at each of the moments, which must ascend, as `lose` leaves it in `into`. */
  *losses(moments: readonly number[], random: () => number, into: string): Generator<{ moment: number; loss: Loss }> {
    const state = new VolatileFolder(this.base);
    const records = recordsIn(readFileSync(this.journal));
    let next = records.next();
    for (const moment of moments) {
      for (; !next.done && next.value.end <= moment; next = records.next()) state.apply(next.value.record);
      yield { moment, loss: state.lose(random, into) };
    }
  }

  private get base(): string {
    return join(this.record, "base");
  }

  private get journal(): string {
    return join(this.record, "journal");
  }
}
