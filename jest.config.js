/** Types are checked by `npm run typecheck`; here swc only strips them. */
module.exports = {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  globalSetup: "<rootDir>/test/support/setup.ts",
  globalTeardown: "<rootDir>/test/support/teardown.ts",
  testMatch: ["**/*.test.ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { target: "es2022", parser: { syntax: "typescript" } },
        module: { type: "commonjs", ignoreDynamic: true },
      },
    ],
  },
  // More than a wait in a test may take (test/support/eventually.ts), and a file may have to start a cluster before its first
  // test. Nothing passes because of it.
  testTimeout: process.env.ROOKERY_SHAPE === "cluster" ? 120000 : 60000,
  maxWorkers: 2,
  testSequencer: "<rootDir>/test/support/sequencer.mjs",
};
