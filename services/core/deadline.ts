import { RookeryError } from "./errors";

const unavailable = (): Error => new RookeryError("UNAVAILABLE");

/** What the work gives, or an error once its time (milliseconds) is over; the work goes on and nobody listens. */
export function within<T>(ms: number, work: Promise<T>, late: () => Error = unavailable): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(0, ms));
  });
  return Promise.race([work, end]).finally(() => clearTimeout(timer));
}
