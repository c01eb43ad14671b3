import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../../..");
const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "clients/web"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter(Boolean);
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** What makes HTML or a program of a text. */
const TEXT_AS_CODE =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|srcdoc|createContextualFragment|parseFromString|setHTMLUnsafe)\b|document\.write|\beval\(|new Function\(|setTimeout\(\s*["'`]/;

describe("the page", () => {
  it("makes elements and texts, and never HTML of what somebody wrote (S35: inside)", () => {
    const scripts = files.filter(file => file.endsWith(".js"));
    expect(scripts.length).toBeGreaterThan(10);
    for (const file of scripts) expect([file, TEXT_AS_CODE.exec(read(file))?.[0]]).toEqual([file, undefined]);
  });

  it("has no script, style or handler in its HTML, so that its policy need not allow any (S35: inside)", () => {
    const pages = files.filter(file => file.endsWith(".html"));
    expect(pages.length).toBeGreaterThan(0);
    for (const file of pages) {
      const html = read(file);
      expect([file, /<script(?![^>]*\bsrc=)[^>]*>|\son\w+=|\sstyle=|<style|javascript:/i.exec(html)?.[0]]).toEqual([
        file,
        undefined,
      ]);
      for (const [, source = ""] of html.matchAll(/\b(?:src|href)="([^"]*)"/g))
        expect([file, /^(\/(?!\/)|#|\.\/|[\w-]+\.)/.test(source), source]).toEqual([file, true, source]);
    }
  });
});
