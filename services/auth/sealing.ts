import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const CIPHER = "aes-256-gcm";
/** Bytes. */
const NONCE = 12;
const TAG = 16;

/** Encrypts at rest what cannot be kept as a digest, with a key made of a secret that the store does not hold. */
export class Sealing {
  private readonly key: Buffer;

  constructor(secret: string) {
    this.key = Buffer.from(hkdfSync("sha256", secret, "", "rookery secrets at rest", 32));
  }

  /** @param owner what it belongs to; sealed for one it opens for no other */
  seal(text: string, owner: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, this.key, nonce).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
  }

  /** Null if it was sealed with another key, or for another owner. */
  open(sealed: string, owner: string): string | null {
    const bytes = Buffer.from(sealed, "base64url");
    try {
      const decipher = createDecipheriv(CIPHER, this.key, bytes.subarray(0, NONCE), { authTagLength: TAG });
      decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
      return decipher.update(bytes.subarray(NONCE + TAG), undefined, "utf8") + decipher.final("utf8");
    } catch {
      return null;
    }
  }
}
