import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "./cache";
import { Child, type ChildExit } from "./child";
import { Daemon } from "./daemon";
import { freePort } from "./ports";

export interface S3Options {
  /** Kept after the end. Default: a temporary one, removed at the stop. */
  dataDir?: string;
  onLine?: (line: string) => void;
}

/** An S3 server with one empty bucket; its fields are what the S3 settings want. */
export class S3Server extends Daemon {
  readonly bucket = "rookery";
  readonly accessKey = "rookery";
  readonly secretKey = "rookery-of-this-machine";

  private constructor(
    private readonly dataDir: string,
    private readonly port: number,
    private readonly options: S3Options,
  ) {
    super("versitygw");
  }

  static async create(options: S3Options = {}): Promise<S3Server> {
    return new S3Server(options.dataDir ?? mkdtempSync(join(tmpdir(), "rookery-s3-")), await freePort(), options);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  override async stop(): Promise<ChildExit | undefined> {
    const exit = await super.stop();
    if (!this.options.dataDir) rmSync(this.dataDir, { recursive: true, force: true });
    return exit;
  }

  protected launch(): Child {
    const [objects, metadata] = [join(this.dataDir, "objects"), join(this.dataDir, "metadata")];
    mkdirSync(join(objects, this.bucket), { recursive: true });
    mkdirSync(metadata, { recursive: true });
    const args = ["--access", this.accessKey, "--secret", this.secretKey, "--port", `127.0.0.1:${this.port}`];
    const backend = ["--quiet", "posix", "--sidecar", metadata, objects];
    return Child.start(this.name, program("versitygw"), [...args, ...backend], { onLine: this.options.onLine });
  }

  /** Anonymous requests are refused, and that is an answer. */
  protected ask(): Promise<unknown> {
    return fetch(this.endpoint, { signal: AbortSignal.timeout(1_000) });
  }
}

/** An S3 server on 127.0.0.1. Rejects if it is not installed or does not start. */
export async function startS3(options?: S3Options): Promise<S3Server> {
  const server = await S3Server.create(options);
  await server.start();
  return server;
}
