import type { ActionSchema, Context, Middleware } from "moleculer";
import { absentNulls } from "../../services/core/absent";

/** Before parameters are looked at: null for what may be left out says the same as leaving it out. */
export const absentMiddleware: Middleware = {
  name: "Absent",

  localAction(next: (ctx: Context<unknown>) => Promise<unknown>, { params }: ActionSchema) {
    if (!params) return next;
    const strip = absentNulls(params as never);
    return (ctx: Context<unknown>) => {
      ctx.params = strip(ctx.params);
      return next(ctx);
    };
  },
} as Middleware;
