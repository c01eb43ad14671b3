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
  // Before its first test a file may have to start a cluster.
  testTimeout: process.env.ROOKERY_SHAPE === "cluster" ? 60000 : 20000,
  maxWorkers: 2,
  testSequencer: "<rootDir>/test/support/sequencer.mjs",
};
