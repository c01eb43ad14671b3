/**
 * Loaded into a process by `--require`: its wall clock is the machine's, moved by the milliseconds that the file
 * CHAOS_CLOCK holds. Monotonic clocks and timers go on as they do when an operator sets the time.
 */
const { readFileSync } = process.getBuiltinModule("node:fs");

const RealDate = Date;
let shift = 0;

function look() {
  try {
    shift = Number(readFileSync(process.env.CHAOS_CLOCK, "utf8")) || 0;
  } catch {
    shift = 0;
  }
}

look();
setInterval(look, 250).unref();

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args));
  }

  static now() {
    return RealDate.now() + shift;
  }
};
