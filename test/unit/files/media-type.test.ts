import { isInline, MediaTypes } from "../../../services/files/media-type";

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map(part => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));

/** The smallest files that are still what they say. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const GIF = bytes("GIF89a", [1, 0, 1, 0, 0, 0, 0, 0x3b]);

describe("types of files", () => {
  const types = new MediaTypes(15_000);
  afterAll(() => types.close());

  it.each<[string, Buffer, string, boolean]>([
    ["a picture", PNG, "image/png", true],
    ["a GIF", GIF, "image/gif", true],
    ["a JPEG", bytes([0xff, 0xd8, 0xff, 0xe0, 0, 0x10], "JFIF"), "image/jpeg", true],
    ["a WebP", bytes("RIFF", [4, 0, 0, 0], "WEBPVP8 "), "image/webp", true],
    ["an MP3", bytes("ID3", [3, 0, 0, 0, 0, 0, 0], [0xff, 0xfb, 0x90, 0x44], "x".repeat(50)), "audio/mpeg", true],
    ["a PDF", bytes("%PDF-1.7\n"), "application/pdf", false],
    ["a GIF with a script behind it", bytes("GIF89a", "/*\x01\x00\x01\x00*/=1;alert(1)"), "image/gif", true],
    ["a program", bytes([0x7f], "ELF", [2, 1, 1], "\0".repeat(60)), "application/octet-stream", false],
  ])("tell %s", async (_name, content, type, inline) => {
    expect(await types.of(content, false)).toBe(type);
    expect(isInline(type)).toBe(inline);
  });

  it.each([
    "<!doctype html><script>alert(1)</script>",
    "\n \t<html>",
    "\uFEFF<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "<script>alert(1)</script>",
    '<?xml version="1.0"?><x/>',
  ])("never tell what a browser would run: %j", async text => {
    expect(await types.of(Buffer.from(text), true)).toBe("application/octet-stream");
  });

  it("tell text only if all of it is, and never show it in the page", async () => {
    expect(await types.of(Buffer.from("plain words"), true)).toBe("text/plain");
    expect(await types.of(Buffer.from("plain words"), false)).toBe("application/octet-stream");
    expect(isInline("text/plain")).toBe(false);
  });

  it("stay unknown when looking takes too long, and the next file is looked at again", async () => {
    const hasty = new MediaTypes(1);
    expect(await hasty.of(PNG, false)).toBe("application/octet-stream");
    await hasty.close();
    expect(await types.of(PNG, false)).toBe("image/png");
  });

  it("show nothing inline that could hold a script", () => {
    for (const type of ["text/html", "image/svg+xml", "application/pdf", "application/octet-stream", "text/xml"])
      expect(isInline(type)).toBe(false);
  });
});
