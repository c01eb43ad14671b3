import { readFileSync } from "node:fs";
import { ServiceBroker, type Context, type ServiceSchema } from "moleculer";
import ApiGateway from "moleculer-web";

/** What each of the two actions answers. */
export interface BareAnswers {
  page: unknown;
  message: unknown;
}

/**
 * `bare.ts PORT FILE`: moleculer-web before two actions that answer what is in the file. No accounts, no store, no rights:
 * what HTTP and one call cost by themselves.
 */
async function main(port: number, file: string): Promise<void> {
  const { page, message } = JSON.parse(readFileSync(file, "utf8")) as BareAnswers;
  const broker = new ServiceBroker({ logger: false, nodeID: "bare" });
  broker.createService({
    name: "bare",
    actions: {
      history: () => page,
      post(ctx: Context<{ text: string }, { $statusCode?: number }>) {
        ctx.meta.$statusCode = 201;
        return message;
      },
    },
  });
  const path = "/channels/:id/messages";
  broker.createService({
    name: "web",
    mixins: [ApiGateway as ServiceSchema],
    settings: {
      port,
      ip: "127.0.0.1",
      routes: [
        {
          path: "/api",
          bodyParsers: { json: true },
          aliases: { [`GET ${path}`]: "bare.history", [`POST ${path}`]: "bare.post" },
        },
      ],
    },
  });
  await broker.start();
  console.log("ready");
}

main(Number(process.argv[2]), process.argv[3] ?? "").catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
