import type { Child, ChildExit } from "./child";

/** It ended after it was ready, and nobody asked it to. */
export type OnDeath = (daemon: Daemon, exit: ChildExit) => void;

/** A program that runs in the background and may be started again on the same address and data, after a kill or a stop. */
export abstract class Daemon {
  /** Milliseconds a start may take. */
  protected readonly patience: number = 30_000;
  private child: Child | null = null;
  private starting: Promise<void> | null = null;
  private wanted = false;

  protected constructor(
    readonly name: string,
    private readonly onDeath: OnDeath = () => undefined,
  ) {}

  protected abstract launch(): Child;
  /** Resolves if it can be used; asked again and again while it starts. */
  protected abstract ask(): Promise<unknown>;

  get pid(): number {
    return this.child?.pid ?? -1;
  }

  get isRunning(): boolean {
    return this.child?.isRunning ?? false;
  }

  /** False once it was asked to stop. */
  get isWanted(): boolean {
    return this.wanted;
  }

  /** Resolves when it can be used. Rejects with its last words if it ends before. */
  start(): Promise<void> {
    this.wanted = true;
    this.starting ??= this.run().finally(() => (this.starting = null));
    return this.starting;
  }

  /** kill -9. It stays away until it is started, here or because its death is watched over. */
  async kill9(): Promise<void> {
    await this.child?.kill9();
  }

  /** Asks it to end, and waits for that; kill -9 after `patience` milliseconds. */
  async stop(signal: NodeJS.Signals = "SIGTERM", patience = 5_000): Promise<ChildExit | undefined> {
    this.wanted = false;
    return this.child?.stop(signal, patience);
  }

  /** Resolves when the running one ends, whoever ended it. */
  async ended(): Promise<void> {
    await this.child?.ended;
  }

  private async run(): Promise<void> {
    if (this.isRunning) return;
    const child = this.launch();
    this.child = child;
    await child.answers(() => this.ask(), this.patience);
    void child.ended.then(exit => {
      if (this.wanted && this.child === child) this.onDeath(this, exit);
    });
  }
}
