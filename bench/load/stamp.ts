/**
 * The text of a message says when it was sent, on the generator's clock in milliseconds, and as which one: `T12.345T67T`,
 * filled up to its length.
 */
const STAMP = /T(\d+\.\d{3})T(\d+)T/;

let serial = 0;

export interface Stamped {
  serial: number;
  text: string;
}

export function stamped(bytes: number): Stamped {
  serial++;
  const stamp = `T${performance.now().toFixed(3)}T${serial}T`;
  return { serial, text: stamp.padEnd(bytes, "x") };
}

export function stampOf(text: string): { at: number; serial: number } | null {
  const [, at, number] = STAMP.exec(text) ?? [];
  return at === undefined ? null : { at: Number(at), serial: Number(number) };
}
