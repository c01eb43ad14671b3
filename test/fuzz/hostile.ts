import { connect } from "node:net";
import { pick } from "../chaos/random";
import { within } from "../support/eventually";
import { encodeFrame, OPCODE, RawSocket } from "../support/raw-socket";
import type { Effort, Recent } from "./effort";
import { Mutator, type Mutant, type Random } from "./mutator";
import { RawMutator } from "./rfc6455";
import {
  connectPacket,
  HANDSHAKE,
  helloFrame,
  nativeFrames,
  pathOf,
  signalrRecords,
  socketioPackets,
  type Speaker,
} from "./vocabulary";

/** Somebody who sends over one wire until its goal is reached. */
export interface Hostile {
  effort: Effort;
  recent: Recent;
  random: Random;
  /** Who he is on his next connection. */
  speaker(): Speaker;
  complain(what: string): void;
}

/** Frames that go out together: what is behind one that ends the connection nobody hears. */
const TOGETHER = 8;
/** Frames after which a connection that still lives is ended. */
const LONGEST = 400;
/** Share of the connections whose frames come before any opening. */
const UNOPENED = 0.1;
/** Milliseconds in which a server that is well answers a ping. */
const PATIENCE = 10_000;
/** Milliseconds for one who may wait in vain: he has claimed more bytes than he sent. */
const BRIEFLY = 50;
/** And for an answer to a request that may never be one. */
const UNANSWERED = 250;
/** Connections in a row that were not taken. */
const REFUSED = 200;

interface Opening {
  says: string[];
  /** Part of an answer that shows that it is done. */
  until: string;
}

function openingOf(wire: string, speaker: Speaker): Opening {
  if (wire === "signalr") {
    const call = { type: 1, invocationId: "in", target: "Typing", arguments: [speaker.room, false] };
    return { says: [HANDSHAKE, `${JSON.stringify(call)}\x1e`], until: '"invocationId":"in"' };
  }
  if (wire === "socketio") return { says: [connectPacket(speaker.token)], until: '40{"sid"' };
  return { says: [helloFrame(speaker)], until: '"t":"welcome"' };
}

/** Over WebSockets of whose frames the text is mutated, or all their bytes. */
export async function bySockets({ effort, recent, random, speaker, complain }: Hostile): Promise<void> {
  const isRaw = effort.wire === "rfc6455";
  const mutator = isRaw ? new RawMutator(random) : new Mutator(random);
  for (let refused = 0; !effort.isOver;) {
    const who = speaker();
    const frames = framesOf(effort.wire, who);
    const socket = await enter(who);
    if (!socket) {
      effort.closed("refused");
      if (++refused < REFUSED) continue;
      complain(`${effort.wire}: ${REFUSED} connections in a row were refused`);
      return;
    }
    refused = 0;
    effort.connections++;
    recent.connected();
    const isCut = await speak(socket, frames);
    effort.closed(isCut ? "cut by us" : String(socket.closeCode ?? "without a frame"));
    socket.destroy();
  }

  async function enter(who: Speaker): Promise<RawSocket | null> {
    try {
      const socket = await within(
        PATIENCE,
        "an upgrade",
        RawSocket.open(who.scene.port, { path: pathOf(effort.wire, who) }),
      );
      if (socket.status !== 101) return (void socket.destroy(), null);
      if (random() < UNOPENED) return socket;
      const { says, until } = openingOf(effort.wire, who);
      for (const one of says) socket.text(one);
      const isIn = (): boolean => socket.texts.some(text => text.includes(until));
      await within(
        PATIENCE,
        "an opening",
        socket.until(() => isIn() || socket.ended),
      );
      return socket;
    } catch (error) {
      complain(`${effort.wire}: ${String(error)}`);
      return null;
    }
  }

  /** True if it had to be ended from here. */
  async function speak(socket: RawSocket, frames: readonly string[]): Promise<boolean> {
    for (let sent = 0; sent < LONGEST && !socket.ended && !effort.isOver;) {
      const batch: Buffer[] = [];
      for (let mutant: Mutant | null = null; batch.length < TOGETHER && !mutant?.isBlind;) {
        mutant = mutator.mutant(pick(random, frames) as string, pick(random, frames) as string);
        recent.sent(mutant.bytes);
        batch.push(isRaw ? mutant.bytes : encodeFrame(OPCODE.TEXT, mutant.bytes));
      }
      const mark = `${sent}`;
      socket.tcp.write(Buffer.concat([...batch, encodeFrame(OPCODE.PING, mark)]));
      sent += batch.length;
      effort.frames += batch.length;
      const isHeard = (): boolean =>
        socket.frames.some(one => one.opcode === OPCODE.PONG && one.payload.toString() === mark);
      try {
        await within(
          isRaw ? BRIEFLY : PATIENCE,
          "a pong",
          socket.until(() => isHeard() || socket.ended),
        );
      } catch (error) {
        if (!isRaw) complain(`${effort.wire}: ${String(error)}`);
        return true;
      }
      socket.frames.length = 0;
      socket.texts.length = 0;
    }
    return !socket.ended;
  }
}

function framesOf(wire: string, speaker: Speaker): string[] {
  if (wire === "signalr") return signalrRecords(speaker);
  return wire === "socketio" ? socketioPackets(speaker) : nativeFrames(speaker);
}

/** Requests for a connection, each on a connection of its own. */
export async function byUpgrades({ effort, recent, random, speaker }: Hostile): Promise<void> {
  const mutator = new RawMutator(random);
  while (!effort.isOver) {
    const who = speaker();
    const { port } = who.scene;
    const requests = (["native", "signalr", "socketio"] as const).map(wire =>
      [
        `GET ${pathOf(wire, who)} HTTP/1.1`,
        ...[`Host: 127.0.0.1:${port}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
        ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: rookery.v1", "", ""],
      ].join("\r\n"),
    );
    const bytes = mutator.upgrade(pick(random, requests) as string, pick(random, requests) as string);
    recent.connected();
    recent.sent(bytes);
    effort.connections++;
    effort.frames++;
    effort.closed(await answerTo(port, bytes));
  }
}

/** The status that bytes of HTTP are answered with, or what happens instead. */
function answerTo(port: number, bytes: Buffer): Promise<string> {
  return new Promise(resolve => {
    const tcp = connect(port, "127.0.0.1");
    const done = (how: string): void => {
      tcp.destroy();
      resolve(how);
    };
    tcp.setTimeout(UNANSWERED, () => done("cut by us"));
    tcp.once("data", data => done(data.toString("latin1", 9, 12)));
    tcp.on("error", () => undefined);
    tcp.once("close", () => done("without a word"));
    tcp.write(bytes);
  });
}
