import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Piscina } from "piscina";

/** Types of files, told by their content alone. What a browser could run is never told as what it is. */

export const UNKNOWN = "application/octet-stream";
export const TEXT = "text/plain";

/** Told as they are. Everything else, scripts and documents with scripts in them first of all, is `UNKNOWN`. */
const TOLD =
  /^(image\/(?!svg)[a-z0-9.+-]+|audio\/[a-z0-9.+-]+|video\/[a-z0-9.+-]+|font\/[a-z0-9.+-]+|application\/(pdf|zip|gzip|x-7z-compressed|x-tar|x-bzip2|x-xz|zstd|vnd\.rar|epub\+zip|ogg|rtf|vnd\.openxmlformats-officedocument\.[a-z.]+|vnd\.oasis\.opendocument\.[a-z.-]+))$/;

/** Raster images, sound and moving pictures that browsers show by themselves. */
const INLINE = new Set([
  "image/png",
  "image/apng",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/avif",
  "audio/mpeg",
  "audio/mp4",
  "audio/x-m4a",
  "audio/aac",
  "audio/ogg",
  "audio/opus",
  "audio/flac",
  "audio/x-flac",
  "audio/wav",
  "audio/webm",
  "video/mp4",
  "video/webm",
  "video/ogg",
]);

/** Whether a page may show a file of this type; everything else is offered as a download. */
export const isInline = (mimeType: string): boolean => INLINE.has(mimeType);

/** What people may have as their picture: what every browser shows. */
const PICTURES = new Set(["image/png", "image/apng", "image/jpeg", "image/gif", "image/webp"]);

export const isPicture = (mimeType: string): boolean => PICTURES.has(mimeType);

/** Milliseconds a look may take. Parsers of foreign bytes have hung before. */
const TIMEOUT = 4_000;
/** Milliseconds after which an idle thread ends. */
const IDLE = 60_000;

/** Looks at files in a thread of its own, so that a file made to hang a parser hangs nothing else. */
export class MediaTypes {
  private readonly pool: Piscina<Uint8Array, string | null>;

  constructor(private readonly timeout = TIMEOUT) {
    const extension = extname(__filename);
    this.pool = new Piscina({
      filename: join(__dirname, `media-type.worker${extension}`),
      // Compiled, the worker is plain JavaScript; from source (tsx, jest) the thread gets tsx as its loader.
      execArgv: extension === ".js" ? [] : ["--import", pathToFileURL(require.resolve("tsx")).href],
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: IDLE,
    });
  }

  /**
   * The type as it is told. A file that cannot be looked at in time is `UNKNOWN`: it is kept, but only as a download.
   * @param head first bytes, 64 KiB at most
   * @param isText whether all bytes are UTF-8 without NUL
   */
  async of(head: Uint8Array, isText: boolean): Promise<string> {
    let type: string | null;
    try {
      type = await this.pool.run(head, { signal: AbortSignal.timeout(this.timeout) });
    } catch {
      return UNKNOWN;
    }
    if (type !== null) return TOLD.test(type) ? type : UNKNOWN;
    return isText && !looksLikeMarkup(head) ? TEXT : UNKNOWN;
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}

/** A text with an angle bracket as its first character may be HTML, SVG or XML to a careless reader. */
function looksLikeMarkup(head: Uint8Array): boolean {
  return /^[\uFEFF\s]*</.test(new TextDecoder().decode(head.subarray(0, 1024)));
}
