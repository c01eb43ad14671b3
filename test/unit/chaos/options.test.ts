import { FAULTS } from "../../chaos/faults";
import { readOptions } from "../../chaos/options";

const read = (...args: string[]) => readOptions(args, FAULTS);
const options = (...args: string[]) => {
  const read_ = read(...args);
  if (read_ === "help") throw new Error("no options");
  return read_;
};

describe("what npm run chaos is told", () => {
  test("without anything it is ten minutes of all that can happen to one process", () => {
    const { shape, ms, seed, faults, clients, rate, keep } = options();
    expect({ shape, ms, seed, clients, rate, keep }).toEqual({
      shape: "embedded",
      ms: 600_000,
      seed: 1,
      clients: 100,
      rate: 50,
      keep: null,
    });
    expect(faults).toEqual(FAULTS.filter(({ shapes }) => shapes.includes("embedded")));
  });

  test("faults are named, and those alone happen", () => {
    const { faults, ms, seed } = options(
      "--shape",
      "cluster",
      "--minutes",
      "0.5",
      "--seed",
      "7",
      "--faults",
      "kill,nats",
    );
    expect(faults.map(({ name }) => name)).toEqual(["kill", "nats"]);
    expect({ ms, seed }).toEqual({ ms: 30_000, seed: 7 });
    expect(options("--faults", "").faults).toEqual([]);
  });

  test.each([
    ["an unknown flag", ["--sed", "7"], /--sed/],
    ["something that is no flag", ["kill"], /kill/],
    ["an unknown shape", ["--shape", "round"], /round/],
    ["an unknown fault", ["--faults", "kill,flood"], /flood.*kill/],
    ["a fault of the other shape", ["--faults", "nats"], /embedded has no "nats"/],
    ["minutes that are no number", ["--minutes", "soon"], /soon/],
    ["half a client", ["--clients", "2.5"], /2\.5/],
    ["less than nothing", ["--rate=-3"], /-3/],
  ])("%s is refused in one line that names it", (_, args, named) => {
    let message = "";
    try {
      read(...args);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(named);
    expect(message).not.toContain("\n");
  });
});
