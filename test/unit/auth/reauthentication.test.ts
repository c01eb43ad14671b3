import { openDocuments } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { CREDENTIALS, type Credentials } from "../../../services/auth/auth.store";
import { Reauthentication } from "../../../services/auth/reauthentication";
import { ATTEMPTS, SignInDelay, type Attempts } from "../../../services/auth/sign-in-delay";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { codeOf, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

describe("proving once more who one is", () => {
  const ann = newId();
  let database: SqliteDatabase;
  let clock: TestClock;
  let audit: jest.Mock;
  let delay: SignInDelay;
  let doors: Reauthentication;

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    clock = new TestClock();
    audit = jest.fn(() => Promise.resolve());
    const credentials = await openDocuments<Credentials>(database, CREDENTIALS);
    await credentials.insert({ id: ann, hash: "right", createdAt: "" });
    const attempts = await openDocuments<Attempts>(database, ATTEMPTS);
    delay = new SignInDelay({ attempts, clock, mode: "on", secret: "secret", exceeded: () => undefined });
    const passwords = { verify: async (password: string, hash: string | null) => password === hash };
    const secondFactors = {
      async require(_: string, code: string | undefined, wrong: () => Promise<unknown>) {
        if (code === "123456") return;
        if (code !== undefined) await wrong();
        throw new RookeryError("UNAUTHENTICATED", "no", { errors: [{ field: "code", message: "no" }] });
      },
    };
    doors = new Reauthentication(credentials, passwords, secondFactors, delay);
  });
  afterEach(() => database.close());

  const from = (address: string) => ({ address, username: "ann", what: "auth.changePassword", audit });
  const tries = (password: string, code?: string, address = "192.0.2.1") =>
    codeOf(doors.demand(from(address), ann, password, code));
  const home = "203.0.113.7";

  it("is slowed down by account, from wherever one asks and whichever door it is, and a sign-in with it", async () => {
    for (let n = 0; n < 3; n++) {
      expect(await tries(`guess ${n}`, "123456", `198.51.${n}.1`)).toBe("FORBIDDEN");
      expect(await codeOf(doors.demandPassword(from(`192.0.${n}.9`), ann, "guess"))).toBe("FORBIDDEN");
    }
    expect(await tries("right", "123456")).toBe("RATE_LIMITED");
    expect(await codeOf(doors.demandAny(from("192.0.2.77"), ann, "right", "123456"))).toBe("RATE_LIMITED");
    expect(await codeOf(delay.begin("ann", ann, "192.0.2.50"))).toBe("RATE_LIMITED");
    clock.advance(1_000);
    expect(await tries("right", "123456")).toMatch(/^resolved/);
    expect(await tries("guess")).toBe("FORBIDDEN");
  });

  it("goes on for the owner where he has signed in before, whoever else tries", async () => {
    await (
      await delay.begin("ann", ann, home)
    )();
    for (let n = 0; n < 9; n++) await tries("guess");
    expect(await tries("right", "123456", home)).toMatch(/^resolved/);
  });

  it("is no success before the code is right, too", async () => {
    for (let n = 0; n < 5; n++) expect(await tries("guess")).toBe("FORBIDDEN");
    expect(await tries("right")).toBe("FORBIDDEN");
    expect(await tries("right", "123456")).toBe("RATE_LIMITED");
  });

  it("records what was refused, but not that a code is still to be given", async () => {
    await tries("guess", "123456");
    await tries("right");
    await tries("right", "000000");
    const note = (factor: string) => [
      { type: "reauthentication", object: ann, result: "refused", detail: { what: "auth.changePassword", factor } },
    ];
    expect(audit.mock.calls).toEqual([note("password"), note("code")]);
  });
});
