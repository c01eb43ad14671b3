import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { audit } from "../core/audit";
import type { Clock } from "../core/clock";
import type { Caller, Meta } from "../core/contract";
import { invalidField, RookeryError } from "../core/errors";
import { callerOf } from "../core/policy";
import { auditLines } from "./export-audit";
import { personLines, roomLines } from "./export-lines";
import type { Export } from "./routes/route";

/** Exports that one gateway sends at a time; each holds a page. */
const AT_ONCE = 8;
/** Milliseconds after which whoever is told that there are too many may try again. */
const LATER = 10_000;

const LINES = { "room-export": roomLines, "person-export": personLines, "audit-export": auditLines };

/** Sends exports as fast as they are read, and asks for no page before the last one has left. */
export class Exports {
  private underWay = 0;

  constructor(
    private readonly clock: Clock,
    /** Told who took what away. */
    private readonly log: (what: string, detail: Record<string, unknown>) => void,
  ) {}

  /** Rejects while nothing is sent; later a failure cuts the answer off, and its last line is missing. */
  async send(
    what: Export,
    ctx: Caller & { meta: Meta },
    { id = "", files, ...query }: Record<string, string>,
    res: ServerResponse,
    headOnly: boolean,
  ): Promise<void> {
    if (files !== undefined && files !== "links") throw invalidField("files", "Give links.");
    if (this.underWay >= AT_ONCE)
      throw new RookeryError("UNAVAILABLE", "Too many exports at once.", { retryAfterMs: LATER });
    this.underWay++;
    try {
      const user = callerOf(ctx.meta).id;
      const lines = LINES[what](ctx, this.clock, { id, links: files === "links", user, query });
      const first = await lines.next();
      if (!headOnly) {
        const entry = {
          type: "data.export",
          ...(id !== "" && { object: id }),
          result: "ok",
          detail: { what },
        } as const;
        await audit(ctx, this.clock, entry);
      }
      res.writeHead(200, {
        "Content-Type": "application/x-ndjson; charset=utf-8",
        "Content-Disposition": `attachment; filename="${id === "" ? what : `${what}-${id}`}.jsonl"`,
        "Cache-Control": "no-store",
      });
      if (headOnly) return void res.end(await lines.return(undefined).then(() => undefined));
      this.log("export", { what, id, by: user });
      await pipeline(Readable.from(following(first.value as string, lines)), res).catch((error: unknown) =>
        this.log("an export was cut off", { what, id, by: user, error: String(error) }),
      );
    } finally {
      this.underWay--;
    }
  }
}

/** Bytes written at once: a line alone would cost a turn of the loop and a frame of HTTP. */
const CHUNK = 64 * 1024;

async function* following(first: string, lines: AsyncGenerator<string>): AsyncGenerator<string> {
  let chunk = first;
  for await (const line of lines) {
    chunk += line;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk !== "") yield chunk;
}
