import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import Validator from "fastest-validator";
import { readManifest } from "../../../config/backup/manifest";
import { redact, redactText } from "../../../config/log.redact";
import { openArchive } from "../../../config/import/archive";
import { lineOf, partsOf, usernameOf } from "../../../config/import/names";
import { messageOf, personOf, plainText, timeOf } from "../../../config/import/slack";
import { RookerySource } from "../../../config/import/source.rookery";
import { SlackSource } from "../../../config/import/source.slack";
import { parseProviders } from "../../../config/oidc";
import { wordsOf } from "../../../config/repl/command";
import { decodePacket } from "../../../mixins/nats/packet";
import { Seal } from "../../../mixins/streams/envelope";
import { Authenticator } from "../../../services/api-gateway/authenticate";
import { openExchange } from "../../../services/api-gateway/exchange";
import { webClient } from "../../../services/api-gateway/pages";
import { parseQuery } from "../../../services/api-gateway/params";
import { openUpload } from "../../../services/api-gateway/upload";
import { parseToken } from "../../../services/auth/links";
import { refuseGuessable } from "../../../services/auth/password-policy";
import { PersonalTokens } from "../../../services/auth/personal-tokens";
import { Sessions } from "../../../services/auth/sessions";
import { BrowserCookie } from "../../../services/core/browser-cookie";
import { CALLS } from "../../../services/core/calls";
import { TrustedProxies, clientAddress, normalAddress } from "../../../services/core/client-address";
import { Cors } from "../../../services/core/cors";
import { parseBody } from "../../../services/core/json";
import { LIMITS } from "../../../services/core/limits";
import { checkFrame, splitFrames } from "../../../services/core/protocol";
import { isLine } from "../../../services/core/rules";
import { AccessTokens } from "../../../services/core/tokens";
import { cleanName, contentDisposition } from "../../../services/files/file-name";
import { Links } from "../../../services/files/links";
import { checkOperation } from "../../../services/messages/content";
import { namesMentioned } from "../../../services/messages/mentions";
import { readHandshake } from "../../../services/ws-gateway/engine.handshake";
import { isHopByHop, isKnownCoding } from "../../../services/ws-gateway/engine.http";
import { argumentsAt, argumentsIn } from "../../../services/ws-gateway/wires/arguments";
import { JOINED, Records } from "../../../services/ws-gateway/wires/signalr/signalr.frames";
import { SignalrSession } from "../../../services/ws-gateway/wires/signalr/signalr.session";
import { parsePacket, SEPARATOR } from "../../../services/ws-gateway/wires/socketio/socketio.packets";
import { SocketioSession } from "../../../services/ws-gateway/wires/socketio/socketio.session";
import { streamHttp } from "../../../services/ws-gateway/wires/stream/stream.http";
import { streamWire } from "../../../services/ws-gateway/wires/stream/stream.wire";
import { tokenOf } from "../../../services/ws-gateway/wires/token";

type Parser = (text: string) => unknown;

/** Characters of the small input; the large one, ten times as long, is what fits into a frame. */
const SMALL = 6_500;
/** What ten times the input may cost. */
const MOST = 20;
/** What no noise makes of it. */
const CLEAR = 3 * MOST;
/** Times each is measured, the least counts; as often again where it seems to be too much, since others work here, too. */
const ROUNDS = 3;
const PATIENCE = 15;
/** Times the small one is parsed to be measured at all. */
const TIMES = 20;
/** Milliseconds of the processor below which the large one costs nothing to speak of, and the clock is too coarse. */
const CHEAP = 5;

setFlagsFromString("--expose-gc");
/** What one parser has left behind is not cleared away at another's expense. */
const collect = runInNewContext("gc") as () => void;

const refused = (work: () => unknown): unknown => {
  try {
    const outcome = work();
    return outcome instanceof Promise ? outcome.catch(() => undefined) : outcome;
  } catch {
    // A refusal is an answer like others.
    return undefined;
  }
};
const SECRET = "x".repeat(40);
const tokens = new AccessTokens({ secret: SECRET, issuer: "i", audience: "a", accessTtl: 60 });
const proxies = new TrustedProxies(["10.0.0.0/8"]);
const limits = { ...LIMITS, text: 1e7, metadata: 1e7 };
const clock = { now: () => 1e12, monotonic: () => 0 };
const cors = new Cors(["https://chat.example.org"]);
const cookie = new BrowserCookie("https://chat.example.org");
const links = new Links(SECRET, clock);
const seal = new Seal(SECRET, clock);
const authenticator = new Authenticator(
  tokens,
  { ready: async () => undefined, refuses: () => false, ended: () => false },
  { resolve: async () => Promise.reject(new Error("none")) },
);
const folder = mkdtempSync(join(tmpdir(), "rookery-linear-"));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
/** A request with a body, as far as it is looked at. */
const bodied = (text: string, headers: Record<string, string>): IncomingMessage =>
  Object.assign(Readable.from([Buffer.from(text)]), { headers, complete: true }) as unknown as IncomingMessage;

/** Uploads of a body that says of itself that it is multipart; read to their end. */
async function multipart(text: string, type: string): Promise<void> {
  const { stream, release } = await openUpload(bodied(text, { "content-type": type }), undefined, 1e7, 200);
  for await (const _ of stream);
  release();
}

/** A connection that listens whatever is said, and to which nobody inside answers. */
const port = {
  ...{ token: "", name: "x", closed: false, buffered: 0, requests: true },
  ...Object.fromEntries(
    ["ask", "throttle", "heard", "own", "direct", "hold", "missed", "transmit", "ready", "end"].map(name => [
      name,
      () => 0,
    ]),
  ),
  heeds: () => true,
} as never;
const socketio = { pingInterval: 1, pingTimeout: 1, maxPayload: 1e6 };

/** A store of credentials that has none. */
const nothing = { get: async () => null, update: async () => null };
const sessions = new Sessions(nothing as never, clock, 60);
const revocations = { current: async () => 0, refuses: () => false, append: async () => undefined };
const programs = new PersonalTokens({ stored: nothing, revocations, tokens, clock } as never);

const PART = 'Content-Disposition: form-data; name="file"; filename="a"';
const inPart = (text: string): string => `--x\r\n${PART}\r\n\r\n${text}\r\n--x--\r\n`;

/** Of a page, over HTTP; what no header may hold is left out of it. */
let pages: Server;
const page = (name: string) => (text: string) =>
  new Promise(resolve => {
    const headers = { [name]: text.replace(/[^\x20-\x7e]/g, "x") };
    const { port } = pages.address() as AddressInfo;
    request({ port, host: "127.0.0.1", path: "/", headers, agent: false }, answer => {
      answer.resume().on("end", resolve).on("error", resolve);
    })
      .on("error", resolve)
      .end();
  });

/** Whatever takes a text from outside apart. */
const PARSERS: Record<string, Parser> = {
  mentions: namesMentioned,
  "the content of a message": text => refused(() => checkOperation({ op: "send", text }, limits)),
  "attachments of a message": text =>
    refused(() => checkOperation({ op: "send", text: "", attachments: [...text] } as never, limits)),
  "metadata of a message": text => {
    const metadata = { [text]: text, a: text.split(",") };
    refused(() => checkOperation({ op: "send", text: "x", metadata }, limits));
  },
  "an emoji": text => refused(() => checkOperation({ op: "react", id: "x", emoji: text, on: true }, limits)),
  "a clientId": text => refused(() => checkOperation({ op: "send", text: "x", clientId: text }, limits)),
  "a line": isLine,
  "a password": text => refused(() => refuseGuessable(text, { username: text, email: text })),
  "a file's name": text => contentDisposition(cleanName(text), false),
  "frames joined by newlines": text => refused(() => splitFrames(text)?.map(checkFrame)),
  "a frame": text => refused(() => checkFrame(JSON.parse(JSON.stringify({ t: "send", room: text, text })) as never)),
  "a body": text => refused(() => parseBody(text)),
  "a body of our own making": text => refused(() => parseBody(JSON.stringify({ text }))),
  "a query": text => refused(() => parseQuery(text)),
  "a packet of Socket.IO": text =>
    refused(() => [parsePacket(text), parsePacket(`2${text}`), parsePacket(`0/${text}`)]),
  "records of SignalR": text => refused(() => new Records(1e6).take(text)),
  "records of SignalR in pieces": text =>
    refused(() => {
      const records = new Records(1e6);
      for (let at = 0; at < text.length; at += 1_000) records.take(text.slice(at, at + 1_000));
    }),
  "what a client of SignalR says": text =>
    refused(() => {
      const session = new SignalrSession(port, JOINED);
      session.text(`{"protocol":"json","version":1}\x1e${text}\x1e`);
    }),
  "what a client of Socket.IO says": text =>
    refused(() => {
      const session = new SocketioSession(port, socketio, []);
      session.text(["40", `42["message",${JSON.stringify({ text })}]`, `451-${text}`, text].join(SEPARATOR));
    }),
  "what a client of a stream says": text => refused(() => streamWire.session(port).single?.(text)),
  "rooms of a stream": text =>
    refused(() =>
      streamHttp(streamWire)({
        ...{ method: "GET", path: "", query: new URLSearchParams({ rooms: text }), token: "", address: "" },
        ...{ identify: () => ({ identity: { id: "x" } }), refusal: () => ({ status: 429 }) },
      } as never),
    ),
  "calls of SignalR and Socket.IO": text => {
    for (const { args } of Object.values(CALLS)) {
      refused(() => argumentsAt([text, text, text], args));
      refused(() => argumentsIn(text, args));
      refused(() => argumentsIn({ channelId: text, id: text, text, emoji: text, [text]: 1 }, args));
    }
  },
  "a handshake": text =>
    refused(() => readHandshake(`/ws?${text}`, "127.0.0.1", name => (name.endsWith("version") ? "13" : text))),
  "headers of one hop": text => [isHopByHop("x", text), isKnownCoding(text)],
  "a token": text => refused(() => tokens.verify(text)),
  "a refresh token": text =>
    Promise.all(
      [text, `01a1fc87-9015-75b5-9683-ef4249e15e36.${text}`]
        .map(one => [sessions.find(one), sessions.rotate(one)])
        .flat(),
    ),
  "a token of a program": text =>
    Promise.all([text, `rkp_${text}`].map(one => refused(() => programs.exchange({ record: async () => null }, one)))),
  "a token of a socket": text => [tokenOf(new URLSearchParams(text), text), tokenOf(null, `bearer ${text}`)],
  "an Authorization header": text =>
    Promise.all(
      [text, `Bearer ${text}`, `Bearer rkp_${text}`, `Bearer ${" ".repeat(9)}${text} x`].map(one =>
        authenticator.read(one),
      ),
    ),
  "a cookie": text => [cookie.read(text), cookie.read(`__Host-rookery-browser=${text}`)],
  "a request id": text => openExchange({ headers: { "x-request-id": text }, url: `/${text}` } as never, "127.0.0.1", 0),
  "an Origin": text =>
    cors.apply({ headers: { origin: text, host: text } } as never, { setHeader: () => undefined } as never),
  "forwarded addresses": text =>
    refused(() =>
      clientAddress({ headers: { "x-forwarded-for": text }, socket: { remoteAddress: "10.1.1.1" } } as never, proxies),
    ),
  "an address": text => [normalAddress(text), normalAddress(`::${text}`), normalAddress(`[${text}`)],
  "a list of proxies": text => refused(() => new TrustedProxies(text.split(","))),
  "a link in a mail": text => [parseToken(text), parseToken(`01a1fc87-9015-75b5-9683-ef4249e15e36.${text}`)],
  "a link to a file": text => [links.verify(text, "1", text), links.verify("x", text, `x.${text}`)],
  "multipart: all of it": text => refused(() => multipart(text, "multipart/form-data; boundary=x")),
  "multipart: in a part": text => refused(() => multipart(inPart(text), "multipart/form-data; boundary=x")),
  "multipart: heads of parts": text =>
    refused(() => multipart(`--x\r\n${text}\r\n${PART}${text}\r\n\r\nx\r\n--x--`, "multipart/form-data; boundary=x")),
  "multipart: its type": text => refused(() => multipart(inPart("x"), `multipart/form-data; boundary=${text}`)),
  "a Range": page("range"),
  "an If-None-Match": page("if-none-match"),
  "identity providers": text =>
    refused(() => parseProviders(JSON.stringify([{ id: text, issuer: text, scopes: text }]))),
  "what is logged": text => [redactText(text), redact({ [text]: text, password: text, list: [...text] })],
  "packets of the room bus": text => decodePacket("x", Buffer.from(`[1,"events",[[1,1,"x",0]]]\n${text}`)),
  "calls between nodes": text => refused(() => [seal.open(text, "x"), seal.open(`${text}.${text}`, "x")]),
  "what is typed in the console": wordsOf,
  "a name from Slack": usernameOf,
  "a line from Slack": text => [lineOf(text, 1_000), partsOf(text, 1_000)],
  "a text from Slack": text => plainText(text, user => user),
  "a person and a time of Slack": text => [
    refused(() => personOf({ id: text, name: text, profile: { display_name: text, real_name: text } } as never)),
    timeOf(text),
  ],
  "a message of Slack": text =>
    refused(() =>
      messageOf(
        { ts: "1.1", user: text, text, blocks: [], files: [{ name: text, url_private: text }], reactions: [] } as never,
        "x" as never,
        (user: string) => user,
      ),
    ),
  "an export of Slack": text =>
    refused(async () => {
      file("users.json", text);
      await SlackSource.open(await openArchive(folder));
    }),
  "a zip": text => refused(async () => openArchive(file("x.zip", `PK\u0003\u0004${text}`))),
  "an export of ours": text =>
    refused(async () => {
      const header = '{"type":"export","kind":"room","version":1,"room":{}}';
      const source = await RookerySource.open(file("room.jsonl", `${header}\n${text}\n{"type":"end"}`));
      for await (const room of source.rooms()) for await (const _ of room as never as AsyncIterable<unknown>);
    }),
  "a backup": text => refused(async () => (file("backup.json", text), readManifest(folder))),
};

/** The parameters of every action there is: what a door takes goes through one of these. */
const validator = new Validator({ useNewCustomCheckerFunction: true, defaults: { object: { strict: true } } } as never);
interface Schema {
  name: string;
  actions: Record<string, { params?: Record<string, unknown> }>;
}
const SERVICES = ["api-gateway", "auth", "files", "messages", "presence", "rooms", "users", "ws-gateway"];
for (const name of SERVICES) {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { default: schema } = require(`../../../services/${name}/${name}.service`) as { default: Schema };
  const checks = Object.values(schema.actions ?? {}).flatMap(({ params = {} }) => {
    const fields = Object.keys(params).filter(field => !field.startsWith("$"));
    return fields.length > 0
      ? [{ fields, check: validator.compile({ ...params } as never) as Parser & ((given: object) => unknown) }]
      : [];
  });
  if (checks.length > 0)
    PARSERS[`the parameters of ${name}`] = text => {
      for (const { fields, check } of checks) {
        refused(() => check(Object.fromEntries(fields.map(field => [field, text]))));
        refused(() => check(Object.fromEntries(fields.map(field => [field, [text]]))));
      }
    };
}

/** What has been slow elsewhere: long runs before something that does not fit, openings without end, and all signs alike. */
const INPUTS: Record<string, (length: number) => string> = {
  letters: length => "a".repeat(length),
  "dots before a letter": length => `@${".".repeat(length)}a`,
  "dashes before a letter": length => `a${"-".repeat(length)}a`,
  "mentions without end": length => "@a.".repeat(length / 3),
  spaces: length => `${" ".repeat(length)}x`,
  backslashes: length => "\\".repeat(length),
  "quotes that are escaped": length => `"${'\\"'.repeat(length / 2)}`,
  "openings without an end": length => "<".repeat(length),
  "brackets without an end": length => "[".repeat(length),
  "empty records": length => "{}\n".repeat(length / 3),
  "ampersands and equals": length => "a=%41&".repeat(length / 6),
  commas: length => "1.1.1.1, ".repeat(length / 9),
  "dots and slashes": length => "../".repeat(length / 3),
  "emoji in one": length => "👨‍👩‍👧‍👦".repeat(length / 11),
  "marks on a letter": length => `e${"\u0301".repeat(length)}`,
  "a number": length => `42${"9".repeat(length)}`,
  "an address without an end": length => `a@${".".repeat(length)} `,
  "ats without an end": length => `${"@".repeat(length)} `,
  "pairs without an end": length => "a=b; ".repeat(length / 5),
  "colons and commas": length => "a:1,".repeat(length / 4),
  ranges: length => `bytes=${"0-0,".repeat(length / 4)}`,
  "tags of answers": length => '"a", '.repeat(length / 5),
  "records without an end": length => "{}\x1e".repeat(length / 3),
  "lines of heads": length => "a: b\r\n".repeat(length / 6),
  "borders of parts": length => "\r\n--x\r\n".repeat(length / 7),
  "beginnings of borders": length => "\r\n--".repeat(length / 4),
  "percent signs": length => "%41%".repeat(length / 4),
};

/** Milliseconds of the processor, which others on the machine change less than those of the clock. */
async function cost(parse: Parser, text: string, times: number): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < times; n += 1) {
    const outcome = parse(text);
    if (outcome instanceof Promise) await outcome;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * How many times as much the large one costs; 0 where it costs nothing to speak of. All that comes between only adds to a
 * cost, so the least of several is nearest to the truth, and more of them let nobody through who should not be: what costs a
 * hundred times as much does so every time. Both are measured in turns: what slows the machine down slows down both.
 */
async function ratioOf(parse: Parser, small: string, large: string, cheap = CHEAP): Promise<number> {
  // Compiled before it is measured.
  for (const text of [small, large]) await parse(text);
  let [few, many] = [Infinity, Infinity];
  for (let round = 1; ; round += 1) {
    if (many >= CHEAP && many < Infinity) collect();
    many = Math.min(many, await cost(parse, large, 1));
    if (many < cheap) return 0;
    few = Math.min(few, (await cost(parse, small, TIMES)) / TIMES);
    const ratio = many / few;
    if (round >= (ratio > MOST && ratio < CLEAR ? PATIENCE : ROUNDS)) return ratio;
  }
}

async function worst(parse: Parser): Promise<[kind: string, ratio: number]> {
  let found: [string, number] = ["none", 0];
  for (const [kind, make] of Object.entries(INPUTS)) {
    let ratio = await ratioOf(parse, make(SMALL), make(10 * SMALL));
    // At one size alone it is the memory that a text needs for the first time; a parser that tries again does so at any.
    if (ratio > MOST) ratio = Math.min(ratio, await ratioOf(parse, make(SMALL / 2), make(5 * SMALL), 0));
    if (ratio > found[1]) found = [kind, ratio];
    if (ratio > MOST) break;
  }
  return found;
}

describe("ten times the input costs at most twenty times as much", () => {
  beforeAll(async () => {
    pages = createServer({ maxHeaderSize: 1024 * 1024 }, (req, res) => webClient()(req, res, () => res.end()));
    await new Promise<void>(resolve => pages.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    pages.close();
    rmSync(folder, { recursive: true });
  });

  it.each(Object.keys(PARSERS))(
    "of %s (S33: inside)",
    async name => {
      const [kind, ratio] = await worst(PARSERS[name] as Parser);
      expect([kind, ratio <= MOST, ratio]).toEqual([kind, true, ratio]);
    },
    60_000,
  );

  // Each a mistake that has been made elsewhere; of the first kind was the validator's own rule for addresses.
  const SLOW: Record<string, Parser> = {
    "a pattern that tries again at each sign": text => /^\S+@\S+\.\S+$/.test(text.slice(0, text.length / 10)),
    "spaces at the end, sought from each": text => /\s+$/.test(text.slice(-text.length / 4)),
    "a text that is moved up for each sign": text => {
      const rest = Buffer.from(text.slice(0, text.length / 3));
      for (let left = rest.length; left > 1; left--) rest.copyWithin(0, 1, left);
    },
  };
  it.each(Object.keys(SLOW))(
    "and %s is found out",
    async name => {
      expect((await worst(SLOW[name] as Parser))[1]).toBeGreaterThan(MOST);
    },
    60_000,
  );
});
