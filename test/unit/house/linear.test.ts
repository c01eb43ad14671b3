import { usernameOf, lineOf } from "../../../config/import/names";
import { plainText } from "../../../config/import/slack";
import { parseQuery } from "../../../services/api-gateway/params";
import { TrustedProxies, clientAddress } from "../../../services/core/client-address";
import { parseBody } from "../../../services/core/json";
import { checkFrame, splitFrames } from "../../../services/core/protocol";
import { isLine, username } from "../../../services/core/rules";
import { AccessTokens } from "../../../services/core/tokens";
import { cleanName, contentDisposition } from "../../../services/files/file-name";
import { checkOperation } from "../../../services/messages/content";
import { namesMentioned } from "../../../services/messages/mentions";
import { profileRules } from "../../../services/users/profile";
import { parsePacket } from "../../../services/ws-gateway/wires/socketio/socketio.packets";
import { LIMITS } from "../../../services/core/limits";

/** Characters of the small input; the large one, ten times as long, is what fits into a frame. */
const SMALL = 6_500;
/** Times each is measured, the least counts. */
const ROUNDS = 3;
/** Milliseconds of the processor below which the large one costs nothing to speak of, and the clock is too coarse. */
const CHEAP = 5;

const refused = (work: () => unknown): void => {
  try {
    work();
  } catch {
    // A refusal is an answer like others.
  }
};
const tokens = new AccessTokens({ secret: "x".repeat(40), issuer: "i", audience: "a", accessTtl: 60 });
const proxies = new TrustedProxies(["10.0.0.0/8"]);
const limits = { ...LIMITS, text: 1e7, metadata: 1e7 };

/** Whatever takes a text from outside apart. */
const PARSERS: Record<string, (text: string) => unknown> = {
  mentions: namesMentioned,
  "the content of a message": text => refused(() => checkOperation({ op: "send", text }, limits)),
  "an emoji": text => refused(() => checkOperation({ op: "react", id: "x", emoji: text, on: true }, limits)),
  "a clientId": text => refused(() => checkOperation({ op: "send", text: "x", clientId: text }, limits)),
  "a user name": text => username.pattern.test(text),
  "a line": isLine,
  "the address of a picture": text => profileRules.avatarUrl.custom(`https://${text}`, []),
  "a file's name": text => contentDisposition(cleanName(text), false),
  "frames joined by newlines": text => refused(() => splitFrames(text)?.map(checkFrame)),
  "a frame": text => refused(() => checkFrame(JSON.parse(JSON.stringify({ t: "send", room: text, text })) as never)),
  "a body": text => refused(() => parseBody(text)),
  "a body of our own making": text => refused(() => parseBody(JSON.stringify({ text }))),
  "a query": text => refused(() => parseQuery(text)),
  "a packet of Socket.IO": text => refused(() => parsePacket(text)),
  "a token": text => refused(() => tokens.verify(text)),
  "forwarded addresses": text =>
    refused(() =>
      clientAddress({ headers: { "x-forwarded-for": text }, socket: { remoteAddress: "10.1.1.1" } } as never, proxies),
    ),
  "a name from Slack": usernameOf,
  "a line from Slack": text => lineOf(text, 1_000),
  "a text from Slack": text => plainText(text, user => user),
};

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
};

/** Processor time, which others on the machine do not change much. */
function cost(parse: (text: string) => unknown, text: string, times: number): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let n = 0; n < times; n += 1) parse(text);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

describe("ten times the input costs at most twenty times as much", () => {
  it.each(Object.keys(PARSERS))("of %s (S33: inside)", name => {
    const parse = PARSERS[name] as (text: string) => unknown;
    for (const [kind, make] of Object.entries(INPUTS)) {
      const [small, large] = [make(SMALL), make(10 * SMALL)];
      // Compiled before it is measured.
      for (const text of [small, large]) parse(text);
      const most = cost(parse, large, 1);
      if (most < CHEAP) continue;
      // As often as it takes to be measured at all.
      const times = 20;
      const ratio = most / (cost(parse, small, times) / times);
      expect([kind, ratio <= 20, ratio]).toEqual([kind, true, ratio]);
    }
  });
});
