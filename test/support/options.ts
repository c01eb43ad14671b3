/** A number that a command line gives as text. Throws in one line if it is none, or too small. */
export function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < least)
    throw new Error(`--${name} is a number from ${least} on, not "${text}"`);
  return value;
}

/** The same of a whole one. */
export function whole(name: string, text: string, least: number): number {
  if (!/^\d+$/.test(text) || Number(text) < least)
    throw new Error(`--${name} is a whole number from ${least} on, not "${text}"`);
  return Number(text);
}
