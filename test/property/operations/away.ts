import type { Operation } from "../operation";

/** Hears nothing until it comes back. */
export const goAway: Operation = {
  name: "away",
  weight: 3,
  draw: random => ({ inOrder: random() < 0.5 }),
  run: ({ inOrder }, device) => device.goAway(inOrder as boolean),
};

export const comeBack: Operation = {
  name: "back",
  weight: 4,
  draw: () => ({}),
  run: (_, device) => device.comeBack(),
};
