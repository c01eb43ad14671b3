import { RookeryError } from "./errors";

/** What the work gives, or UNAVAILABLE once its time (milliseconds) is over; the work goes on and nobody listens. */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RookeryError("UNAVAILABLE")), Math.max(0, ms));
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
