/** Seconds a browser keeps it: longer than any sign-in takes. */
const MAX_AGE = 3_600;

/** The cookie that binds a sign-in with others to the browser it began in; nothing else is known by it. */
export class BrowserCookie {
  private readonly secure: boolean;

  constructor(publicUrl: string | null) {
    this.secure = publicUrl?.startsWith("https:") ?? false;
  }

  /** Over TLS with a prefix by which browsers take it from this host alone, not from a neighbour under the same domain. */
  private get name(): string {
    return this.secure ? "__Host-rookery-browser" : "rookery-browser";
  }

  /** Its value in a Cookie header. */
  read(header = ""): string | undefined {
    for (const part of header.split(/; */)) {
      const [, name, value] = /^([^=]+)=([\w-]{43})$/.exec(part) ?? [];
      if (name === this.name) return value;
    }
    return undefined;
  }

  /** `Lax`: it comes along when another site sends the browser here by a link, and by nothing else. */
  write(value: string): string {
    return `${this.name}=${value}; Path=/; Max-Age=${MAX_AGE}; HttpOnly; SameSite=Lax${this.secure ? "; Secure" : ""}`;
  }
}
