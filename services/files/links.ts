import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Clock } from "../core/clock";
import { isId } from "../core/ids";

/** Seconds a link works. */
export const LINK_TTL = 300;

/**
 * Links to files for what cannot send a token, such as an `<img>`. A link carries the right of the user it was made for, not
 * more: whoever opens it must be told who that is, so that access is looked at again each time.
 */
export class Links {
  private readonly key: Buffer;

  /** @param secret of the installation; the key for links is derived from it and good for nothing else */
  constructor(
    secret: string,
    private readonly clock: Clock,
  ) {
    this.key = Buffer.from(hkdfSync("sha256", secret, "", "rookery file links", 32));
  }

  /** Query of a link for this user. */
  sign(file: string, user: string): string {
    const expires = String(Math.floor(this.clock.now() / 1000) + LINK_TTL);
    return `expires=${expires}&signature=${user}.${this.mac(file, user, expires)}`;
  }

  /** The user a link was made for; null if it is forged, changed or too old. */
  verify(file: string, expires: string, signature: string): string | null {
    const [user = "", mac = ""] = signature.split(".", 2);
    if (!isId(user) || !/^\d{1,12}$/.test(expires)) return null;
    const given = Buffer.from(mac);
    const right = Buffer.from(this.mac(file, user, expires));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
    const left = Number(expires) - this.clock.now() / 1000;
    return left > 0 && left <= LINK_TTL ? user : null;
  }

  private mac(file: string, user: string, expires: string): string {
    return createHmac("sha256", this.key).update(`${file}\n${user}\n${expires}`).digest("base64url");
  }
}
