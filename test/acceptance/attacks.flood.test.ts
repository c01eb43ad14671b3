import { performance } from "node:perf_hooks";
import { Stage, unique, type Client } from "../support/client";
import { describeOwn, startServer } from "../support/server";
import { speaker, SPEAKERS } from "../support/speakers";

/** Sign-ins that come at once; more than may wait. */
const FLOOD = 200;
/** Milliseconds in which who is in is answered meanwhile, on a machine that hashes on all its cores. */
const ANSWERED = 2_000;

describeOwn("a flood of sign-ins", () => {
  let stage: Stage;
  beforeAll(async () => {
    // At the cost that passwords have elsewhere than in tests; nobody is held back by his address.
    stage = await Stage.on(await startServer({ env: { PASSWORD_COST: "10", RATE_LIMIT: "count" } }));
  });
  afterAll(() => stage.end());

  test("is answered or refused in time, and those who are in go on (S14: REST)", async () => {
    const ann: Client = await stage.user("ann");
    const room = await stage.channel([ann]);
    const open = await Promise.all(SPEAKERS.map(door => speaker(door, stage.server.url, ann)));
    let over = false;
    const flood = Promise.all(
      Array.from({ length: FLOOD }, (_, n) =>
        stage.nobody.post("/api/auth/login", {
          username: n % 2 ? ann.username : unique("nobody"),
          password: "not-this-one",
        }),
      ),
    ).finally(() => (over = true));
    const took: number[] = [];
    do {
      for (const one of open) {
        const began = performance.now();
        const { code } = await one.send(room, { text: "still here" });
        took.push(performance.now() - began);
        // How many one may send is another limit, and told.
        expect([one.door, ["ok", "RATE_LIMITED"].includes(code), code]).toEqual([one.door, true, code]);
      }
      expect((await ann.get("/api/users/me")).status).toBe(200);
    } while (!over);
    const answers = await flood;
    expect(took.sort((a, b) => a - b)[Math.floor(took.length / 2)]).toBeLessThan(ANSWERED);
    const refused = answers.filter(({ status }) => status === 503 || status === 429);
    // Unknown is an answer too, and a rare one.
    const [wrong, unknown] = [401, 504].map(code => answers.filter(({ status }) => status === code).length);
    expect((wrong as number) + (unknown as number) + refused.length).toBe(FLOOD);
    expect(unknown).toBeLessThan(FLOOD / 10);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    // It leaves nothing behind.
    expect((await stage.login(await stage.user("late"))).token).toEqual(expect.any(String));
    for (const one of open) await one.close();
  });
});
