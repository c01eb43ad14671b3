// A followed process: makes files in the folder it is given, some of them durable, then says so and waits to be killed.
import { closeSync, fsyncSync, ftruncateSync, linkSync, mkdirSync } from "node:fs";
import { openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const at = name => join(folder, name);
const sync = name => {
  const fd = openSync(at(name), "r");
  fsyncSync(fd);
  closeSync(fd);
};
const write = (name, text, position = null, flags = "a+") => {
  const fd = openSync(at(name), flags);
  writeSync(fd, text, position);
  closeSync(fd);
};

write("old", "-changed");
write("synced", "first ");
sync("synced");
write("synced", "second");
write("lost", "never synced");
write("moved.draft", "moved");
sync("moved.draft");
mkdirSync(at("deep"));
renameSync(at("moved.draft"), at("deep/moved"));
write("linked", "linked");
sync("linked");
linkSync(at("linked"), at("deep/link"));
sync("deep");
write("cut", "0123456789");
sync("cut");
const cut = openSync(at("cut"), "r+");
ftruncateSync(cut, 4);
fsyncSync(cut);
unlinkSync(at("gone"));
sync("");
write("late", "its name came after the folder was synced");
sync("late");
const sectors = openSync(at("sectors"), "r+");
for (let sector = 0; sector < 8; sector++) writeSync(sectors, Buffer.alloc(512, 65 + sector), 0, 512, sector * 512);
console.log("written");
setInterval(() => undefined, 1_000);
