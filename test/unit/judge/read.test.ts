import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "../../judge/generate";
import { linesOf, readHistory } from "../../judge/read";
import { temporaryFolder } from "../../support/temp";

describe("a history's file", () => {
  const lines = generate({ seed: 7 });
  let file: string;

  beforeEach(() => {
    file = join(temporaryFolder(), "history.jsonl");
    writeFileSync(file, lines.map(line => `${JSON.stringify(line)}\n`).join(""));
  });

  it("is read line by line as it was written", async () => {
    expect(await readHistory(file)).toEqual(lines);
  });

  it("may end in a line that a killed run left torn", async () => {
    appendFileSync(file, '{"t":12,"client":"c1","us');
    expect(await readHistory(file)).toEqual(lines);
  });

  it("is not believed where any other line is torn", async () => {
    appendFileSync(file, '{"t":12,"client"\n{"t":13}\n');
    await expect(readHistory(file)).rejects.toThrow(SyntaxError);
  });

  it("is given out while the rest is still unread", async () => {
    appendFileSync(file, "{ not JSON\n{}\n");
    const stream = linesOf(file);
    expect((await stream.next()).value).toEqual(lines[0]);
    await stream.return(undefined);
  });
});
