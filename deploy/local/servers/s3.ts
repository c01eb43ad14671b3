import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "./cache";
import { Child } from "./child";
import { freePort } from "./ports";

export interface S3Options {
  /** Kept after the end. Default: a temporary one, removed at the stop. */
  dataDir?: string;
  onLine?: (line: string) => void;
}

/** An S3 server with one empty bucket; its fields are what the S3 settings want. */
export class S3Server {
  readonly bucket = "rookery";
  readonly accessKey = "rookery";
  readonly secretKey = "rookery-of-this-machine";
  private child: Child | null = null;

  private constructor(
    private readonly dataDir: string,
    private readonly port: number,
    private readonly options: S3Options,
  ) {}

  static async start(options: S3Options = {}): Promise<S3Server> {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "rookery-s3-"));
    const server = new S3Server(dataDir, await freePort(), options);
    await server.start();
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.child?.pid ?? -1;
  }

  /** Starts it again after a kill. */
  async start(): Promise<void> {
    if (this.child?.isRunning) return;
    const [objects, metadata] = [join(this.dataDir, "objects"), join(this.dataDir, "metadata")];
    mkdirSync(join(objects, this.bucket), { recursive: true });
    mkdirSync(metadata, { recursive: true });
    const args = ["--access", this.accessKey, "--secret", this.secretKey, "--port", `127.0.0.1:${this.port}`];
    const backend = ["--quiet", "posix", "--sidecar", metadata, objects];
    this.child = Child.start("versitygw", program("versitygw"), [...args, ...backend], { onLine: this.options.onLine });
    // Anonymous requests are refused, and that is an answer.
    await this.child.answers(() => fetch(this.endpoint, { signal: AbortSignal.timeout(1_000) }));
  }

  async kill9(): Promise<void> {
    await this.child?.kill9();
  }

  async stop(): Promise<void> {
    await this.child?.stop("SIGTERM", 5_000);
    if (!this.options.dataDir) rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** An S3 server on 127.0.0.1. Rejects if it is not installed or does not start. */
export const startS3 = (options?: S3Options): Promise<S3Server> => S3Server.start(options);
