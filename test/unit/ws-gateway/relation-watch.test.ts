import type { RelationChange } from "../../../services/core/contract";
import { RelationWatch } from "../../../services/ws-gateway/relation-watch";

const PAIR = { user: "ann", other: "bob" };

function ground(recent: () => RelationChange[] | null) {
  let now = 0;
  const told: (RelationChange[] | null)[] = [];
  const watch = new RelationWatch({
    recent: async () => recent(),
    changed: changes => void told.push(changes),
    now: () => now,
  });
  const after = async (ms: number): Promise<void> => {
    now += ms;
    await watch.tick();
  };
  return { told, after };
}

describe("looking for what was lost of people's relations", () => {
  it("asks every ten seconds, and tells what there is", async () => {
    const answers: (RelationChange[] | null)[] = [[PAIR], [], null];
    const { told, after } = ground(() => answers.shift() as RelationChange[] | null);
    for (const ms of [9_000, 1_000, 9_999]) await after(ms);
    expect(told).toEqual([[PAIR]]);
    for (const ms of [1, 10_000]) await after(ms);
    expect(told).toEqual([[PAIR], null]);
  });

  it("takes it that anything may have changed where it could not ask for longer than it looks back", async () => {
    let away = true;
    const { told, after } = ground(() => {
      if (away) throw new Error("away");
      return [];
    });
    for (let n = 0; n < 5; n++) await after(10_000);
    expect(told).toEqual([]);
    away = false;
    await after(10_000);
    await after(10_000);
    expect(told).toEqual([null]);
  });
});
