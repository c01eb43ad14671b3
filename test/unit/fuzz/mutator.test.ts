import { seeded } from "../../chaos/random";
import { Mutator } from "../../fuzz/mutator";
import { RawMutator } from "../../fuzz/rfc6455";
import { nativeFrames, signalrRecords, socketioPackets, type Speaker } from "../../fuzz/vocabulary";

const scene = { port: 1, people: [{ id: "u", token: "t" }], rooms: ["r"], messages: ["m"], foreign: "f" };
const speaker: Speaker = { scene, token: "t", user: "u", room: "r", message: "m" };
const VOCABULARIES = [
  ["native", nativeFrames(speaker), ""],
  ["SignalR", signalrRecords(speaker), "\x1e"],
  ["Socket.IO", socketioPackets(speaker), ""],
] as const;
const ROUNDS = 40;

/** Each frame so many times, beside the one before it. */
function mutants(frames: readonly string[], seed: number) {
  const mutator = new Mutator(seeded(seed));
  return Array.from({ length: ROUNDS }).flatMap(() =>
    frames.map((frame, at) => ({ frame, ...mutator.mutant(frame, frames.at(at - 1) as string) })),
  );
}

describe.each(VOCABULARIES)("mutated frames of %s", (_, frames, end) => {
  test("are the same for a seed, and others for another", () => {
    const bytes = (seed: number) => mutants(frames, seed).map(one => one.bytes.toString("base64"));
    expect(bytes(1)).toEqual(bytes(1));
    expect(bytes(1)).not.toEqual(bytes(2));
  });

  test("differ from what they were made of, and are JSON where they are not blind", () => {
    const all = mutants(frames, 3);
    expect(all.filter(({ frame, bytes }) => bytes.toString() === frame).length).toBeLessThan(all.length / 10);
    const sighted = all.filter(({ isBlind }) => !isBlind);
    expect(sighted.length).toBeGreaterThan(all.length / 2);
    expect(all.length - sighted.length).toBeGreaterThan(0);
    for (const { bytes } of sighted) {
      const text = bytes.toString();
      expect(text.endsWith(end)).toBe(true);
      expect(() => JSON.parse(text.slice(text.search(/[[{]/), text.length - end.length)) as unknown).not.toThrow();
    }
  });

  test("have keys of prototypes, broken surrogates, numbers beyond all and deep nests among them", () => {
    const text = mutants(frames, 4).map(({ bytes }) => bytes.toString());
    for (const wanted of ["__proto__", '"constructor"', "\\ud800", "1e999", "[[[[[[[["])
      expect(text.some(one => one.includes(wanted))).toBe(true);
  });
});

test("frames of bytes and requests are the same for a seed, too", () => {
  const request = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";
  const bytes = (seed: number): string[] => {
    const mutator = new RawMutator(seeded(seed));
    return Array.from({ length: 500 }, () => [
      mutator.mutant('{"t":"ping","i":1}', "{}").bytes.toString("base64"),
      mutator.upgrade(request, request).toString("base64"),
    ]).flat();
  };
  expect(bytes(1)).toEqual(bytes(1));
  expect(bytes(1)).not.toEqual(bytes(2));
  expect(new Set(bytes(1)).size).toBeGreaterThan(500);
});
