export const ADMIN_PASSWORD = "correct-horse-battery";

/** Nothing of the tests' own environment but what a process needs. */
export function baseEnvironment(): Record<string, string> {
  const names = ["PATH", "HOME", "TMPDIR", "ROOKERY_ENGINE"];
  return Object.fromEntries(names.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** Settings of a product under test, in either shape. */
export const testSettings = (): Record<string, string> => ({
  ...baseEnvironment(),
  ADMIN_PASSWORD,
  PASSWORD_COST: "4",
  RATE_LIMIT: "count",
});
