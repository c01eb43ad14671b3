import { afterFile } from "../support/cleanup";
import { external } from "../support/server";
import { startEmbeddedGround } from "../chaos/ground.embedded";
import type { Ground } from "../chaos/ground";
import { textOf } from "./plan";
import { Run } from "./run";

const HISTORIES = 100;
/** Milliseconds; a client that never gets to know what is so is not made good by more. */
const PATIENCE = 20_000;

(external ? describe.skip : describe)("what a client has built from events", () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await startEmbeddedGround();
    afterFile(() => ground.stop());
  });

  test("is what it fetches afterwards, for a hundred random histories over all wires and through restarts", async () => {
    const run = await Run.on(ground, { phases: 2, steps: 6, patience: PATIENCE });
    const results = await run.histories(1, HISTORIES);
    const wrong = results.filter(({ differences }) => differences.length > 0);
    expect(wrong.map(({ plan, differences }) => `${textOf(plan)}\ndiffers:\n${differences.join("\n")}`)).toEqual([]);
    expect(results).toHaveLength(HISTORIES);
  }, 240_000);
});
