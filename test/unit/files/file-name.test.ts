import fc from "fast-check";
import { cleanName, contentDisposition } from "../../../services/files/file-name";

describe("names of files", () => {
  it.each([
    ["photo.png", "photo.png"],
    ["Prüfung – März.pdf", "Prüfung – März.pdf"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\windows\\system.ini", "system.ini"],
    ["/abs/olute", "olute"],
    ["a/b/..", "file"],
    ["..", "file"],
    [".", "file"],
    ["", "file"],
    ["   ", "file"],
    ["trailing/", "file"],
    ["nul\0in\r\nside\x7f.txt", "nulinside.txt"],
    ["gpj.\u202Eexe.txt", "gpj.exe.txt"],
    ["half \uD800 pair", "half \uFFFD pair"],
  ])("%j becomes %j", (given, name) => {
    expect(cleanName(given)).toBe(name);
  });

  it("are called `file` when there is none", () => {
    expect(cleanName(undefined)).toBe("file");
  });

  it("keep their ending when they are cut to 255 bytes, and no character is cut in two", () => {
    const name = cleanName(`${"ü🦜".repeat(200)}.tar.gz`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(name)).toBeGreaterThan(245);
    expect(name).toMatch(/^(ü🦜)+ü?\.gz$/);
    expect(Buffer.byteLength(cleanName("x".repeat(10_000)))).toBe(255);
    expect(Buffer.byteLength(cleanName(`a.${"x".repeat(10_000)}`))).toBe(255);
  });

  it("never hold a path, anything unseen or more than 255 bytes, whatever came", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), given => {
        const name = cleanName(given);
        expect(name).not.toMatch(/[/\\\p{Cc}]/u);
        expect(["", ".", ".."]).not.toContain(name);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
      }),
    );
  });
});

describe("Content-Disposition", () => {
  it("gives a plain name and the full one", () => {
    expect(contentDisposition("photo.png", true)).toBe(`inline; filename="photo.png"; filename*=UTF-8''photo.png`);
    expect(contentDisposition(`"ü" (1)'s 100%.txt`, false)).toBe(
      `attachment; filename="_____ (1)'s 100_.txt"; filename*=UTF-8''%22%C3%BC%22%20%281%29%27s%20100%25.txt`.replace(
        "_____",
        "___",
      ),
    );
  });

  it("is one header of visible ASCII that gives the name back, for any name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), given => {
        const name = cleanName(given);
        const header = contentDisposition(name, false);
        expect(header).toMatch(/^attachment; filename="[^"\\\x00-\x1f\x7f-\uffff]+"; filename\*=UTF-8''[!-~]+$/);
        expect(decodeURIComponent(header.slice(header.indexOf("''") + 2))).toBe(name);
      }),
    );
  });
});
