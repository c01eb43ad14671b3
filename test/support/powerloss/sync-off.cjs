"use strict";
// Loaded before a server by --require, in its storage thread too: SQLite no longer waits for the disk. A control run with it
// must lose acknowledged messages, or a run without it has shown nothing.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const Module = require("node:module");

const changed = driver => ({
  ...driver,
  DatabaseSync: class extends driver.DatabaseSync {
    exec(sql) {
      return super.exec(sql.replace(/synchronous\s*=\s*FULL/i, "synchronous = OFF"));
    }
  },
});

const load = Module._load;
Module._load = function (name, ...rest) {
  const loaded = load.call(this, name, ...rest);
  return name === "@photostructure/sqlite" ? changed(loaded) : loaded;
};
const { getBuiltinModule } = process;
if (getBuiltinModule)
  process.getBuiltinModule = name => {
    const found = getBuiltinModule.call(process, name);
    return found && name === "node:sqlite" ? changed(found) : found;
  };
