import { centrifuge } from "./centrifuge";
import type { Protocol } from "./protocol";
import { raw } from "./raw";
import { rookery } from "./rookery";
import { rookeryHub, rookeryIo } from "./rookery.wires";
import { signalr } from "./signalr";
import { socketio } from "./socketio";

export type { Protocol, Speaker } from "./protocol";

export const protocols = { rookery, raw, centrifuge, socketio, signalr, rookeryHub, rookeryIo } satisfies Record<
  string,
  Protocol
>;

export type ProtocolName = keyof typeof protocols;
