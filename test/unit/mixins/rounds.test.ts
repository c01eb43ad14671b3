import { Failures, Rounds } from "../../../mixins/rounds";
import { StorageError } from "../../../mixins/storage-errors";
import { untilDone } from "../../../mixins/until-done";
import { RookeryError } from "../../../services/core/errors";
import { eventually } from "../../support/eventually";

const EVERY = 2;

/** Lines as an operator reads them. */
function lines() {
  const said: string[] = [];
  return {
    said,
    info: (message: string) => void said.push(message),
    warn: (message: string, fields: object) => void said.push(`${message} ${JSON.stringify(fields)}`),
  };
}

describe("rounds of work", () => {
  let rounds: Rounds | undefined;
  afterEach(() => rounds?.stop());

  /** Starts rounds that do what `work` says, and waits until so many more have begun. */
  function start(log: ReturnType<typeof lines>) {
    const state = { begun: 0, work: async (): Promise<unknown> => undefined };
    rounds = new Rounds(
      () => {
        state.begun++;
        return state.work();
      },
      { every: EVERY, log, what: "it waits" },
    );
    const more = async (work: () => Promise<unknown>): Promise<void> => {
      state.work = work;
      const from = state.begun;
      await eventually(
        "more rounds",
        () => state.begun - from,
        count => count > 4,
      );
    };
    return { state, more };
  }

  it("tell the first failure of each kind, however often it comes, and once that it is over", async () => {
    const log = lines();
    const { more } = start(log);
    await more(() => Promise.reject(new RookeryError("UNAVAILABLE", "the first")));
    await more(() => Promise.reject(new TypeError("a defect")));
    await more(() => Promise.reject(new RookeryError("UNAVAILABLE", "the second")));
    expect(log.said).toEqual([
      'it waits {"error":"RookeryError: the first"}',
      'it waits {"error":"TypeError: a defect"}',
    ]);
    await more(async () => undefined);
    expect(log.said.slice(2)).toEqual(["no longer: it waits"]);
    await more(() => Promise.reject(new TypeError("again")));
    expect(log.said.slice(3)).toEqual(['it waits {"error":"TypeError: again"}']);
  });

  it("are silent while the store is away, and do not say that something is over that may not be", async () => {
    const log = lines();
    const { more } = start(log);
    await more(() => Promise.reject(new StorageError("failed", "away")));
    expect(log.said).toEqual([]);
    await more(() => Promise.reject(new StorageError("failed", "full")));
    await more(() => Promise.reject(new StorageError("failed", "away")));
    expect(log.said).toEqual(['it waits {"error":"RookeryError: Not available right now"}']);
    await more(async () => undefined);
    expect(log.said).toHaveLength(2);
  });

  it("tell what of a round failed, and go on with the rest", async () => {
    const log = lines();
    const { more } = start(log);
    await more(async () => rounds?.failed(new RookeryError("NOT_FOUND"), { room: "r1" }));
    expect(log.said).toEqual(['it waits {"room":"r1","error":"RookeryError: Not found"}']);
  });

  it("never run twice at the same time", async () => {
    const log = lines();
    let under = 0;
    let most = 0;
    const { more } = start(log);
    await more(async () => {
      most = Math.max(most, ++under);
      await new Promise(resolve => setTimeout(resolve, 3 * EVERY));
      under--;
    });
    expect(most).toBe(1);
  });
});

it("work that is repeated until it is done tells why it has to wait, once, and that it need not any more", async () => {
  const log = lines();
  let tries = 0;
  const work = async (): Promise<boolean> => {
    if (++tries < 4) throw new RookeryError("UNAVAILABLE");
    return true;
  };
  const failures = new Failures(log, "it has to wait");
  await untilDone(work, { every: 1, failures, signal: new AbortController().signal });
  expect(log.said).toEqual([
    'it has to wait {"error":"RookeryError: Not available right now"}',
    "no longer: it has to wait",
  ]);
});
