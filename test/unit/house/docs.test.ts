import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { settingsTable } from "../../../config/variables";

const root = resolve(__dirname, "../../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("the documents", () => {
  it("list every setting with its default, as the configuration has them", () => {
    const rows = settingsTable().map(({ name, default: value, meaning }) => `| \`${name}\` | ${value} | ${meaning} |`);
    const listed = read("docs/settings.md")
      .split("\n")
      .filter(line => line.startsWith("| `"));
    expect(listed).toEqual(rows);
  });

  it("link only to files that are there", () => {
    for (const file of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]) {
      const links = [...read(file).matchAll(/\]\(((?!https?:)[^)#]+)\)/g)].map(match => match[1] as string);
      expect(links.filter(link => !existsSync(join(root, link)))).toEqual([]);
    }
  });

  it("name in README the folders of tests that hold each promise", () => {
    const folders = [...read("README.md").matchAll(/`(test\/[a-z/-]+)`/g)].map(match => match[1] as string);
    expect(folders.length).toBeGreaterThan(8);
    expect(folders.filter(folder => !existsSync(join(root, folder)))).toEqual([]);
  });
});
