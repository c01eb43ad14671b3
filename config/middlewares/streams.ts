import type { ActionSchema, Context, Middleware, Service, ServiceBroker } from "moleculer";
import { callWithStream } from "../../mixins/streams/caller";
import { StreamDoor, type Place } from "../../mixins/streams/door";
import { Seal } from "../../mixins/streams/envelope";
import { RookeryError } from "../../services/core/errors";
import { platformOf } from "../platform";

type Handler = (ctx: Context) => Promise<unknown>;
interface Remote {
  service?: { metadata?: { streams?: Place } };
}

/**
 * Calls of actions declared with `streams` go from node to node over HTTP. Moleculer would cut their bytes into packets on
 * the bus that carries everything else, without anything that holds a writer back or tells him that his reader has left.
 * The address is announced in the metadata of the service; inside one process nothing changes.
 */
export function streamsMiddleware(): Middleware {
  let door: Promise<StreamDoor> | undefined;
  let seal: Seal | undefined;
  const sealOf = (broker: ServiceBroker): Seal => (seal ??= new Seal(platformOf(broker).config.jwt.secret));

  return {
    name: "Streams",

    async serviceStarting({ broker, schema, metadata }: Service) {
      const actions = Object.values(schema.actions ?? {}) as ActionSchema[];
      if (!broker.transit || !actions.some(action => action.streams)) return;
      door ??= StreamDoor.open(broker, sealOf(broker), platformOf(broker).config.host);
      (metadata as { streams?: Place }).streams = (await door).place;
    },

    remoteAction(this: ServiceBroker, next: Handler, action: ActionSchema & Remote) {
      if (!action.streams) return next;
      return async (ctx: Context) => {
        const place = action.service?.metadata?.streams;
        if (!place) throw new RookeryError("UNAVAILABLE");
        return callWithStream(this, sealOf(this), ctx, place);
      };
    },

    async stopped() {
      await (await door?.catch(() => undefined))?.close();
    },
  } as object as Middleware;
}
