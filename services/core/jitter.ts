/** Half to one and a half of it, so that those who wait for it do not all come back in one moment. */
export const jittered = (ms: number): number => Math.round(ms * (0.5 + Math.random()));
