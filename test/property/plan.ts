import { pick, seeded, whole } from "../chaos/random";
import { KINDS, type Args, type Kind, type Operation, type Random } from "./operation";
import { WIRES, type WireName } from "./lines";

/** One thing somebody does. */
export interface Step {
  readonly op: string;
  /** Number of the device. */
  readonly by: number;
  /** It begins together with the step before it. */
  readonly beside: boolean;
  readonly args: Args;
}

/** Everything of a history that is known before it happens: all of it follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly kind: Kind;
  /** What who comes later sees of what was said before him. */
  readonly history: "all" | "joined";
  readonly people: number;
  readonly devices: readonly { readonly person: number; readonly wire: WireName }[];
  /** Between two of them the product is in trouble. */
  readonly phases: readonly (readonly Step[])[];
}

export interface PlanOptions {
  phases: number;
  /** Of a phase, at most. */
  steps: number;
}

/** Share of the steps that begin together with the one before. */
const BESIDE = 0.4;

export function planOf(seed: number, operations: readonly Operation[], { phases, steps }: PlanOptions): Plan {
  const random = seeded(seed);
  const kind = pick(random, [...KINDS, "public", "public"]) as Kind;
  const people = kind === "direct" ? 2 : whole(random, 2, 4);
  const devices = devicesOf(random, people);
  const bag = operations.flatMap(operation => Array.from({ length: operation.weight }, () => operation));
  const history = (kind === "group" || kind === "private") && seed % 2 === 0 ? "joined" : "all";
  let sends = 0;
  const all: Step[] = [];
  const phase = (): Step[] => {
    const drawn: Step[] = [];
    for (let left = whole(random, Math.ceil(steps / 2), steps); left > 0; left -= 1) {
      const by = whole(random, 0, devices.length - 1);
      const operation = pick(random, bag) as Operation;
      const person = devices[by]?.person ?? 0;
      const args = operation.draw(random, { kind, history, people, person, sends, drawn: all });
      if (!args) continue;
      if (operation.sends) sends += 1;
      const step = { op: operation.name, by, beside: drawn.length > 0 && random() < BESIDE, args };
      drawn.push(step);
      all.push(step);
    }
    return drawn;
  };
  const course = Array.from({ length: phases }, phase);
  // The last of the people is not in it at first, and what was said by then goes on to be changed.
  const coming = { op: "add", by: 0, beside: false, args: { person: people - 1 } };
  if (history === "joined" && people > 2) course[1]?.unshift(coming);
  return { seed, kind, history, people, devices, phases: course };
}

/** Everybody has one or two, the first at least a native one; each wire gets its share over many seeds. */
function devicesOf(random: Random, people: number): Plan["devices"] {
  const devices: { person: number; wire: WireName }[] = [{ person: 0, wire: "native" }];
  for (let person = 0; person < people; person += 1)
    for (let left = whole(random, 1, 2); left > 0; left -= 1)
      devices.push({ person, wire: pick(random, WIRES) as WireName });
  return devices;
}

/** As a list that can be read. */
export function textOf({ seed, kind, history, people, devices, phases }: Plan): string {
  const cast = devices.map(({ person, wire }, n) => `  device ${n}: person ${person}, ${wire}`);
  const steps = phases.flatMap((phase, n) => [
    `  phase ${n + 1}${n > 0 ? " (after trouble)" : ""}`,
    ...phase.map(({ op, by, beside, args }) => `  ${beside ? "&" : " "} device ${by}: ${op} ${JSON.stringify(args)}`),
  ]);
  return [
    `history ${seed}: a ${kind} room${history === "joined" ? " that newcomers read from their coming" : ""}, ${people} people; & begins together with the step before`,
    ...cast,
    ...steps,
  ].join("\n");
}
