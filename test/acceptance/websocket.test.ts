import { describeEmbedded, startServer, type Server } from "../support/server";
import { encodeFrame, RawSocket } from "../support/raw-socket";

interface RawFrame {
  opcode: number;
  payload?: Buffer | string;
  fin?: boolean;
  /** RSV1 to RSV3 as three bits. */
  reserved?: number;
  masked?: boolean;
}

const [continuation, text, binary, close, ping, pong] = [0, 1, 2, 8, 9, 10];
const bytesOf = ({ opcode, payload = "", reserved = 0, ...options }: RawFrame): Buffer =>
  encodeFrame(opcode, payload, { ...options, reserved: reserved << 4 });

/** `{"t":"ping","i":N}`, filled up with spaces to a length. */
const ask = (i: number, length = 0): string => `{"t":"ping","i":${i}}`.padEnd(length);
const FULL = 65_536;
/** A close frame that names no code. */
const WITHOUT = 1005;

const codeOf = (code: number, reason: string | Buffer = ""): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return Buffer.concat([bytes, Buffer.from(reason)]);
};

/** Our own protocol's pong with that number. */
const answered = (i: number) => ({ pong: i });
/** The connection ends as a violation, whatever the code, and nothing that came after it was answered. */
const fails = { fails: true } as const;
const closes = (code: number) => ({ closes: code });

type Expected =
  { pong: number } | { fails: true } | { closes: number | { uws: number; ws: number } } | { payload: string | Buffer };
type Case = [what: string, frames: RawFrame[], expected: Expected];

/**
 * What a WebSocket server owes to RFC 6455, case by case after the groups of the Autobahn suite, on the port that everybody
 * uses. Each is followed by a question: it is answered, or never, as the case says.
 */
const CASES: Record<string, Case[]> = {
  framing: [
    ...[0, 125, 126, 127, 128, 65_535, FULL].map((length): Case => [
      `a text of ${Math.max(length, ask(1).length)} bytes`,
      [{ opcode: text, payload: ask(1, length) }],
      answered(1),
    ]),
    ["a text of a byte more than is taken", [{ opcode: text, payload: ask(1, FULL + 1) }], closes(4500)],
    ["an empty text", [{ opcode: text, payload: "" }], closes(4500)],
    ["a binary message", [{ opcode: binary, payload: "x" }], closes(4500)],
    ["a frame that is not masked", [{ opcode: text, payload: ask(1), masked: false }], fails],
  ],
  "pings and pongs": [
    ["a ping without a payload", [{ opcode: ping }], { payload: "" }],
    ["a ping with one", [{ opcode: ping, payload: "hello" }], { payload: "hello" }],
    [
      "a ping with bytes that are no text",
      [{ opcode: ping, payload: Buffer.of(0, 255, 254) }],
      { payload: Buffer.of(0, 255, 254) },
    ],
    ["a ping of 125 bytes", [{ opcode: ping, payload: "p".repeat(125) }], { payload: "p".repeat(125) }],
    ["a ping of 126 bytes", [{ opcode: ping, payload: "p".repeat(126) }], fails],
    [
      "pongs nobody asked for",
      [{ opcode: pong }, { opcode: pong, payload: "x" }, { opcode: text, payload: ask(1) }],
      answered(1),
    ],
  ],
  "reserved bits": [1, 2, 3, 4, 5, 6, 7].flatMap((reserved): Case[] => [
    [`bits ${reserved} on a text`, [{ opcode: text, payload: ask(1), reserved }], fails],
    [`bits ${reserved} on a ping`, [{ opcode: ping, reserved }], fails],
  ]),
  opcodes: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): Case => [
    `opcode ${opcode}`,
    [{ opcode, payload: "x" }],
    fails,
  ]),
  fragments: [
    ["a text in two", parts(ask(1), 4), answered(1)],
    ["a text in single bytes", parts(ask(1), 1), answered(1)],
    [
      "a text with empty parts",
      [
        { opcode: text, fin: false },
        { opcode: continuation, fin: false },
        { opcode: continuation, payload: ask(1) },
      ],
      answered(1),
    ],
    ["a ping between the parts", interleaved({ opcode: ping, payload: "now" }), { payload: "now" }],
    ["a text with a ping between its parts", interleaved({ opcode: ping, payload: "now" }), answered(1)],
    ["a ping in parts", [{ opcode: ping, fin: false }, { opcode: continuation }], fails],
    ["a continuation of nothing", [{ opcode: continuation, payload: ask(1) }], fails],
    [
      "a text within a text",
      [
        { opcode: text, payload: "{", fin: false },
        { opcode: text, payload: ask(1) },
      ],
      fails,
    ],
    ["a continuation after the end", [...parts(ask(1), 4), { opcode: continuation, payload: "x" }], fails],
  ],
  "UTF-8": [
    [
      "letters of two, three and four bytes",
      [{ opcode: text, payload: `{"t":"ping","i":1,"x":"κό中😀"}` }],
      answered(1),
    ],
    ["a letter cut in two by parts", split(`{"t":"ping","i":1,"x":"😀"}`, 26), answered(1)],
    ...(
      [
        ["a lone continuation byte", [0x80]],
        ["a byte that never occurs", [0xfe]],
        ["a letter that is cut off", [0xf0, 0x9f]],
        ["an overlong slash", [0xc0, 0xaf]],
        ["a surrogate", [0xed, 0xa0, 0x80]],
        ["a number above all letters", [0xf4, 0x90, 0x80, 0x80]],
      ] as const
    ).map(([what, bytes]): Case => [
      what,
      [{ opcode: text, payload: Buffer.from([...Buffer.from(ask(1)), ...bytes]) }],
      fails,
    ]),
  ],
  closing: [
    ["a close without a code", [{ opcode: close }], fails],
    ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 4000, 4999].map((code): Case => [
      `code ${code}`,
      [{ opcode: close, payload: codeOf(code) }],
      closes(code),
    ]),
    // uWebSockets.js takes the codes of libraries for none that may be sent: the client is closed, without a code.
    ...[3000, 3999].map((code): Case => [
      `code ${code}`,
      [{ opcode: close, payload: codeOf(code) }],
      { closes: { uws: WITHOUT, ws: code } },
    ]),
    ["a reason of 123 bytes", [{ opcode: close, payload: codeOf(1000, "r".repeat(123)) }], closes(1000)],
    ["a payload of one byte", [{ opcode: close, payload: "x" }], fails],
    ["a reason that is too long", [{ opcode: close, payload: codeOf(1000, "r".repeat(124)) }], fails],
    ["a reason that is no UTF-8", [{ opcode: close, payload: codeOf(1000, Buffer.of(0xff)) }], fails],
    ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].map((code): Case => [
      `code ${code}, which nobody may send`,
      [{ opcode: close, payload: codeOf(code) }],
      fails,
    ]),
    ["a close in parts", [{ opcode: close, fin: false }, { opcode: continuation }], fails],
  ],
};

function parts(payload: string, length: number): RawFrame[] {
  const pieces = payload.match(new RegExp(`.{1,${length}}`, "gs")) ?? [];
  return pieces.map((piece, at) => ({
    opcode: at === 0 ? text : continuation,
    payload: piece,
    fin: at === pieces.length - 1,
  }));
}

function interleaved(between: RawFrame): RawFrame[] {
  const [first, ...rest] = parts(ask(1), 8);
  return [first as RawFrame, between, ...rest];
}

function split(payload: string, at: number): RawFrame[] {
  const bytes = Buffer.from(payload);
  return [
    { opcode: text, payload: bytes.subarray(0, at), fin: false },
    { opcode: continuation, payload: bytes.subarray(at) },
  ];
}

describeEmbedded.each(["uws", "ws"] as const)("RFC 6455 on PORT, engine %s", engine => {
  let server: Server;

  beforeAll(async () => {
    server = await startServer({ env: { ROOKERY_ENGINE: engine } });
  });

  const open = () => RawSocket.open(Number(new URL(server.url).port));
  const LAST = 999;
  const numbers = (texts: string[]): number[] =>
    texts.flatMap(one => one.split("\n")).map(line => (JSON.parse(line) as { i: number }).i);

  for (const [group, cases] of Object.entries(CASES))
    test.each(cases)(`${group}: %s`, async (_, frames, expected) => {
      const socket = await open();
      socket.tcp.write(Buffer.concat([...frames.map(bytesOf), encodeFrame(text, ask(LAST))]));
      if ("pong" in expected) {
        await socket.until(() => socket.ended || numbers(socket.texts).length >= 2);
        expect(numbers(socket.texts)).toEqual([expected.pong, LAST]);
      } else if ("payload" in expected) {
        const pongs = () => socket.frames.filter(({ opcode }) => opcode === pong);
        await socket.until(() => socket.ended || pongs().length > 0);
        expect(pongs().map(({ payload }) => payload)).toEqual([Buffer.from(expected.payload)]);
      } else {
        await socket.untilClosed();
        if ("closes" in expected) {
          const { closes: code } = expected;
          expect(socket.closeCode).toBe(typeof code === "number" ? code : code[engine]);
        } else expect([undefined, 1000, 1002, 1005, 1007, 1009]).toContain(socket.closeCode);
        expect(numbers(socket.texts)).not.toContain(LAST);
      }
      socket.destroy();
    });

  test("a frame that comes byte by byte is a frame", async () => {
    const socket = await open();
    socket.tcp.setNoDelay(true);
    for (const byte of encodeFrame(text, ask(1, 200)))
      await new Promise(resolve => socket.tcp.write(Buffer.of(byte), resolve));
    expect(numbers(await socket.take(1))).toEqual([1]);
    socket.destroy();
  });
});
