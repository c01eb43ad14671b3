import { faultIn, faultsOf, GROWTH, sampleOf, socketsIn, SPARE, type Sample } from "../../fuzz/watch";
import { readOptions } from "../../fuzz/options";

const FRAMES = 1_000;
const MIB = 1024 * 1024;
/** Memory and descriptors as frames go by. */
const series = (rss: (share: number) => number, descriptors: (share: number) => number = () => 40): Sample[] =>
  Array.from({ length: 11 }, (_, n) => ({
    frames: n * 100,
    rss: rss(n / 10),
    descriptors: descriptors(n / 10),
  }));

describe("the watch over memory and descriptors", () => {
  test("acquits who fills his caches at first and then stays", () => {
    expect(
      faultsOf(
        series(share => (share === 0 ? 100 : 400) * MIB),
        FRAMES,
      ),
    ).toEqual([]);
  });

  test("acquits who had more meanwhile and gave it back", () => {
    const samples = series(
      share => (share === 0.5 ? 900 : 200) * MIB,
      share => (share === 0.5 ? 900 : 40),
    );
    expect(faultsOf(samples, FRAMES)).toEqual([]);
  });

  test("convicts who grows with the frames", () => {
    const [fault, ...more] = faultsOf(
      series(share => 100 * MIB + 2 * GROWTH * share),
      FRAMES,
    );
    expect(fault).toMatch(/^memory grew from 113 MiB after 100 frames to 228 MiB after 1000/);
    expect(more).toEqual([]);
  });

  test("convicts who keeps descriptors, and says both", () => {
    const kept = series(
      () => 100 * MIB,
      share => 40 + (SPARE + 1) * share,
    );
    expect(faultsOf(kept, FRAMES)).toEqual(["descriptors were 40 at first and are 49 at the end"]);
    const both = series(
      share => 9 * GROWTH * share,
      share => 99 * share,
    );
    expect(faultsOf(both, FRAMES)).toHaveLength(2);
  });

  test("does not acquit whom it has not seen", () => {
    expect(faultsOf([], FRAMES)).toEqual(["nothing was measured"]);
  });

  test("sees a process, and that there is none", () => {
    expect(sampleOf(process.pid, 7)).toMatchObject({ frames: 7 });
    expect(sampleOf(process.pid, 7)?.rss).toBeGreaterThan(10 * MIB);
    expect(sampleOf(2 ** 30, 7)).toBeNull();
  });
});

test.each([
  ['{"level":"info","message":"closed"}', false],
  ['{"level":"warn","message":"slow"}', false],
  ['{"level":"error","message":"boom"}', true],
  ['{"level":"fatal","message":"boom"}', true],
  ["TypeError: x is not a function", true],
  ["(node:1) MaxListenersExceededWarning: Possible EventEmitter memory leak detected.", true],
  ["null", true],
])("a line of the server's output: %s", (line, isFault) => {
  expect(faultIn(line) !== null).toBe(isFault);
});

test("open sockets are counted over all wires", () => {
  const metrics = `# TYPE rookery_sockets_open gauge
rookery_sockets_open{wire="native"} 2
rookery_sockets_open{wire="signalr"} 3
rookery_sockets_opened_total{wire="native"} 99
`;
  expect(socketsIn(metrics)).toBe(5);
});

test("what npm run fuzz is told", () => {
  expect(readOptions([])).toEqual({ engines: ["uws"], frames: 1_000_000, seed: 1, rateLimit: "off", keep: null });
  expect(readOptions(["--engine", "both", "--frames", "5", "--rate-limit", "on"])).toMatchObject({
    ...{ engines: ["uws", "ws"], frames: 5, rateLimit: "on" },
  });
  expect(readOptions(["-h"])).toBe("help");
  for (const wrong of ["--engine=bun", "--frames=0", "--frames=1e6", "--seed=x", "--rate-limit=no"])
    expect(() => readOptions([wrong])).toThrow(/^--/);
});
