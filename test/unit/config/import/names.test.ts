import { crc32 } from "node:zlib";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openArchive } from "../../../../config/import/archive";
import { clientIdOf, idOf, numberedUsername, partsOf } from "../../../../config/import/names";
import { isId } from "../../../../services/core/ids";
import { temporaryFolder } from "../../../support/temp";

describe("what an import makes of names", () => {
  it("ids are the same for the same text, and those of a moment sort by it", () => {
    const [early, late] = ["2012-12-14T20:38:43.000Z", "2020-01-01T00:00:00.000Z"].map(at => idOf("x", at));
    expect([idOf("x"), early, late].every(isId)).toBe(true);
    expect(idOf("x")).toBe(idOf("x"));
    expect(idOf("x")).not.toBe(idOf("y"));
    expect((early as string) < (late as string)).toBe(true);
  });

  it("clientIds fit what clients may give, however long the key is", () => {
    expect(clientIdOf("slack-C1-1355517523_000005")).toBe("slack-C1-1355517523_000005");
    for (const key of ["with blanks", "x".repeat(65)]) expect(clientIdOf(key)).toMatch(/^import-[A-Za-z0-9_-]{43}$/);
  });

  it("a numbered user name stays short enough", () => {
    expect(numberedUsername("x".repeat(32), 12)).toBe(`${"x".repeat(29)}-12`);
  });

  it("long texts are cut at words, and lose nothing but those blanks", () => {
    const text = `${"word ".repeat(30)}${"😀".repeat(25)}`;
    const parts = partsOf(text, 20);
    expect(parts.every(part => [...part].length <= 20)).toBe(true);
    expect(parts.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
  });
});

it("an export reads the same from a folder and from a zip, also with a folder around all of it", async () => {
  const files = {
    "my export/users.json": "[1]",
    "my export/general/2020-01-01.json": "[2]",
    "my export/readme.txt": "",
  };
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const zip = join(temporaryFolder(), "export.zip");
  writeFileSync(zip, zipOf(files));
  for (const path of [folder, zip]) {
    const archive = await openArchive(path);
    expect([...archive.names()].sort()).toEqual(["general/2020-01-01.json", "users.json"]);
    expect(await archive.read("general/2020-01-01.json")).toBe("[2]");
    await archive.close();
  }
  writeFileSync(zip, "no zip");
  await expect(openArchive(zip)).rejects.toThrow(/export\.zip is no zip/);
});

/** A zip whose files are stored as they are. */
function zipOf(files: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [file, text] of Object.entries(files)) {
    const [name, data] = [Buffer.from(file), Buffer.from(text)];
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt32LE(crc32(data), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(data.length, 18);
    facts.writeUInt16LE(name.length, 22);
    const more = Buffer.alloc(14);
    more.writeUInt32LE(at, 10);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), facts, name, data]);
    parts.push(local);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\0"), facts, more, name]));
    at += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(central.length, 4);
  end.writeUInt16LE(central.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, directory, Buffer.from("PK\x05\x06"), end]);
}
