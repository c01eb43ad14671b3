/** A test that keeps it from happening here: a file of test/, and words of its title. */
interface Kept {
  file: string;
  title: string;
}

/** What has gone wrong elsewhere, and what there is of it here. */
export interface Failure {
  what: string;
  tests?: readonly Kept[];
  /** Why there is no counterpart. */
  none?: string;
}

const kept = (what: string, ...tests: [file: string, title: string][]): Failure => ({
  what,
  tests: tests.map(([file, title]) => ({ file, title })),
});
const none = (what: string, why: string): Failure => ({ what, none: why });

const FORGED: [string, string] = ["acceptance/attacks.tokens", "%s (S01: REST"];
const MISUSED: [string, string] = ["acceptance/attacks.tokens", "a token %s (S02: REST"];
const OPERATORS: [string, string] = ["acceptance/input", "%s in any field of any body is refused and changes nothing"];
const OPERATORS_THERE: [string, string] = ["acceptance/attacks.doors", "no operator of a query is taken for a value"];
const ENDED: [string, string] = ["acceptance/attacks.revocation", "who %s hears nothing more anywhere"];
const REMOVED: [string, string] = ["acceptance/attacks.revocation", "who is removed from a room hears of it no more"];
const PROTOTYPE: [string, string] = ["acceptance/input", "a prototype cannot be polluted"];
const FRAGMENTS: [string, string] = ["acceptance/attacks.bounds", "a message of fragments without end costs no memory"];
const HOSTILE: [string, string] = [
  "acceptance/wires.hostile",
  "Socket.IO: odd packets, before it has connected and after",
];
const SPLIT: [string, string] = ["acceptance/input", "repeated and nested query parameters are INVALID"];
const REST_ONLY = "no address that somebody gives is ever fetched: there are no previews, webhooks or remote pictures";
const NOT_STACK = "this part of the stack is not used";

/** By where it went wrong. The first are failures of other chat servers and libraries, the last defaults of the stock stack. */
export const FAILURES: Readonly<Record<string, Failure>> = {
  "Rocket.Chat CVE-2021-22911": kept("An unauthenticated $regex finds out a reset token", OPERATORS, OPERATORS_THERE),
  "Rocket.Chat CVE-2026-28514": kept(
    "Any password signs in at the streamer's door",
    ["acceptance/attacks.tokens", "a password that is wrong by a letter"],
    ["integration/auth", "refuses to look at a login of another form"],
  ),
  "Rocket.Chat CVE-2026-30831": kept(
    "The streamer's door skips second factor and deactivation",
    ["acceptance/admission", "are closed to who is deactivated, until he is active again"],
    ["acceptance/admission", "take the second factor where a password is set"],
  ),
  "Rocket.Chat CVE-2026-30833": kept("An operator object in the streamer's sign-in", [
    "acceptance/attacks.tokens",
    "%j in place of a token or a password gets nobody in",
  ]),
  "Rocket.Chat CVE-2026-45688, -45689": kept("Operators in CAS and OAuth token endpoints before sign-in", OPERATORS, [
    "acceptance/input",
    "call refuses operators and unknown parameters like REST",
  ]),
  "Rocket.Chat CVE-2026-29198": kept("An injection takes the first user with a token", [
    "acceptance/attacks.tokens",
    "%j in place of a token or a password gets nobody in",
  ]),
  "Rocket.Chat CVE-2026-48929": kept(
    "A call by nobody deletes any file: a null user passes the check",
    ["acceptance/attacks.tokens", "no token opens no door"],
    ["acceptance/matrix", "nobody gets anything without a session"],
  ),
  "Rocket.Chat CVE-2026-48616": kept("A file of one room fetched with the right to another", [
    "acceptance/attacks.doors",
    "a file is not reached through a room one is in",
  ]),
  "Rocket.Chat CVE-2026-56845": kept(
    "..%2f in a static route",
    ["acceptance/users", "a user %00 is nobody"],
    ["unit/api-gateway/pages", "has nothing at %s"],
  ),
  "Rocket.Chat CVE-2024-39713": none("A webhook that asks internal hosts", REST_ONLY),
  "Rocket.Chat CVE-2020-28208": kept(
    "E-mails found out by asking for a new password",
    ["integration/enumeration", "to who asks for a mail is none, and the same for everybody"],
    ["acceptance/accounts", "is answered with the same bytes for whom nobody knows"],
  ),
  "Rocket.Chat CVE-2026-23477": kept(
    "Secrets of OAuth applications read by any user",
    ["unit/config/config", "are read with their defaults, and printed without their secrets"],
    ["acceptance/tokens-personal", "are shown once, listed without their secret"],
  ),
  "Rocket.Chat CVE-2026-55666": kept("A parameter believed before the signed token", [
    "acceptance/oidc",
    "takes nobody else's account by its e-mail",
  ]),
  "Mattermost CVE-2026-9162": kept("Sockets live on when all sessions are ended", ENDED),
  "Mattermost CVE-2026-5740": none(
    "A frame of MessagePack allocates before it is checked",
    "no wire speaks MessagePack; JSON frames have a bound in the engine",
  ),
  "Mattermost CVE-2026-10080": kept("A field that is no text ends the process", [
    "acceptance/input",
    "%s in any field of any frame is an err, the socket lives",
  ]),
  "Mattermost CVE-2023-3581": kept("Origin not looked at", [
    "acceptance/manners",
    "an Origin that is not ours is refused before the upgrade",
  ]),
  "Mattermost GHSA-q7rx": kept(
    "What concerns one is told to the whole channel",
    ["acceptance/attacks.access", "no name of a room is a pattern, another's feed or a subject"],
    ["acceptance/user-feed", "tells nothing of others"],
  ),
  "Mattermost CVE-2026-1629": kept("A preview from the cache after access was lost", REMOVED),
  "Mattermost CVE-2026-2578": kept("The event of a deletion carries what was deleted", [
    "acceptance/attacks.access",
    "what was said leaves no door once it is deleted",
  ]),
  "Mattermost CVE-2025-12421": kept("A token of another way to sign in is accepted", MISUSED, [
    "acceptance/oidc",
    "ends in the browser it began in, once",
  ]),
  "Mattermost CVE-2024-1402, -24988": kept("Reactions without a bound", [
    "acceptance/attacks.bounds",
    "a message has so many different reactions and no more",
  ]),
  "Mattermost CVE-2026-26246, CVE-2021-37865": none(
    "Pictures that are small as files and huge decoded",
    "no picture is decoded on the server",
  ),
  "Synapse CVE-2022-41952": none("A preview of a stream without an end", REST_ONLY),
  "Synapse CVE-2024-52805": kept("Multipart fills the memory where JSON is wanted", [
    "acceptance/input",
    "another content type is refused",
  ]),
  "Synapse CVE-2025-30355": kept(
    "A number out of range stops those who read it",
    ["acceptance/input", "%s is refused"],
    ["acceptance/attacks.doors", "odd characters are kept to the letter or refused"],
  ),
  "Synapse CVE-2026-45076": kept("A crafted event breaks paging through history", [
    "acceptance/attacks.doors",
    "odd characters are kept to the letter or refused",
  ]),
  "Synapse CVE-2021-29471": kept("Patterns of push rules that try again and again", [
    "unit/house/linear",
    "of %s (S33: inside)",
  ]),
  "Synapse CVE-2024-37303": kept("Files downloaded without a session", [
    "acceptance/files",
    "a link opens the file without a token, and only that file",
  ]),
  "Vartalap CVE-2022-31013": kept("A verification that nobody waits for", [
    "acceptance/attacks.tokens",
    "a password that is wrong by a letter",
  ]),
  "socket.io CVE-2024-38355, CVE-2022-21676": kept("One packet ends the process", HOSTILE),
  "socket.io CVE-2026-33151, -69185": kept("Attachments waited for without end", HOSTILE),
  "ws CVE-2021-32640, CVE-2024-37890": kept(
    "Headers of an upgrade that cost or crash",
    ["unit/house/linear", "of %s (S33: inside)"],
    ["unit/ws-gateway/engine.http", "refuses headers of 20 KB and ends the connection"],
  ),
  "ws CVE-2026-48779, -62389": kept("Tiny fragments without end", FRAGMENTS),
  "uWebSockets CVE-2021-45945": none(
    "A write out of bounds in its parser of HTTP",
    "mended in the pinned version; npm run fuzz sends mutated requests to both engines",
  ),
  "uws CVE-2016-10544": kept("A bomb of compressed frames", ["unit/ws-gateway/engine.test", "offers no compression"]),
  "NATS CVE-2026-27571, -27889, CVE-2023-47090, CVE-2025-30215": kept(
    "Strangers at NATS, and users who may do more than theirs",
    ["integration/nats-permissions", "(S59: NATS)"],
  ),
  "@fastify/busboy CVE-2026-19484, -19481, -124724": kept(
    "Multipart that is cut off, has too many parts, or names a prototype",
    ["unit/api-gateway/upload", "that its parser never comes to an end with is refused in time"],
    ["acceptance/attacks.doors", "names of prototypes change nobody's"],
  ),
  "jsonwebtoken CVE-2022-23540": kept("No list of algorithms: none is one of them", FORGED),
  "mongoose CVE-2024-53900, CVE-2025-23061": kept("$where in a nested condition", OPERATORS, [
    "unit/house/supply",
    "the database runs no JavaScript of a query",
  ]),
  "MongoDB CVE-2025-14847": kept("A database that can be reached from outside", [
    "unit/house/deploy",
    "have ports outside on the proxy alone",
  ]),
  "nedb CVE-2021-23395 (G1)": kept("An update's field names reach the prototype of all objects", PROTOTYPE, [
    "unit/mixins/documents",
    "keys of prototypes are refused as fields and inert as data",
  ]),
  "moleculer-db (G2)": kept("No schema: clients write role and _id", [
    "acceptance/attacks.access",
    "nobody says what is the server's to say",
  ]),
  "moleculer-db (G3)": kept(
    "Queries, searches and sorts over fields that are hidden",
    ["acceptance/attacks.doors", "no list of a socket takes queries, fields, sorts"],
    ["acceptance/users", "a search for characters of a pattern matches only themselves"],
  ),
  "moleculer-web (G4)": kept("A route without aliases publishes every action", [
    "acceptance/matrix",
    "an action that is no method is at no door",
  ]),
  "moleculer-web (G5)": kept("__proto__ of a body passes a strict validator and is seen by the action", PROTOTYPE),
  "moleculer-web (G6)": kept(
    "Limits by a header that the client writes, kept in one process",
    ["acceptance/rates", "sign-ins beyond 30 a minute are RATE_LIMITED"],
    ["faults/limits", "hold for both together"],
  ),
  "moleculer-web (G7)": kept(
    "Errors told verbatim, request ids taken unchecked",
    ["acceptance/attacks.doors", "a refusal says no more than its code"],
    ["acceptance/audit", "takes no request id that could forge a line"],
  ),
  "moleculer over NATS (G8)": kept(
    "Whoever reaches NATS calls as anybody, and ends nodes",
    ["integration/nats-permissions", "(S58: NATS)"],
    ["unit/config/node-id", "ends before its services start, and stays once it is in service"],
  ),
  "moleculer over NATS (G9)": kept("Calls made while NATS is away are never answered", [
    "faults/chaos.cluster",
    "F06 NATS restart",
  ]),
  "moleculer heartbeats (G10)": kept("A call to a killed node waits for half a minute", [
    "faults/chaos.cluster",
    "F01 kill -9 of a node that writes",
  ]),
  "nedb (G11)": kept("What was acknowledged is not on the disk", [
    "faults/power-loss",
    "nothing acknowledged is lost or changed",
  ]),
  "nedb (G12)": kept("After a full disk the next acknowledged write is lost", [
    "faults/disk-full",
    "sends are refused or unknown, reads go on",
  ]),
  "nedb (G13)": kept("A torn last line keeps a young store from starting", [
    "faults/power-loss",
    "nothing acknowledged is lost or changed",
  ]),
  "moleculer shard strategy (G14)": kept("Two writers of a room when a node comes or goes", [
    "faults/chaos.cluster",
    "F08 two writers for one room",
  ]),
  "bcryptjs (G15)": kept(
    "Passwords alike in their first 72 bytes; hashing stops the loop",
    ["unit/auth/passwords", "does not fit a longer password to a hash of its first 72 bytes"],
    ["unit/auth/passwords", "leaves the loop free while it hashes"],
  ),
  "uWebSockets (G16)": kept("What a slow reader is not sent is lost without a word", [
    "faults/slow-reader",
    "is closed, hurts nobody, and resumes without a gap",
  ]),
  "fastest-validator e-mail rule": kept(
    "Its pattern is tried on texts of any length: 64 KiB stop the loop for seconds",
    ["unit/house/linear", "of %s (S33: inside)"],
  ),
  "Strapi and others, static routes CVE-2026-6957": kept("Files outside of the folder", [
    "unit/api-gateway/pages",
    "has nothing at %s",
  ]),
  "Link previews CVE-2026-16251": none("Internal hosts asked by a preview", REST_ONLY),
  "Tinode's open pprof": kept("What is for operators is open to everybody", [
    "acceptance/metrics",
    "are never on the origin",
  ]),
  "Query strings of qs": kept("Objects made of a query string", SPLIT),
  "CAS, SAML, LDAP of other servers": none("Ways to sign in that are not here", NOT_STACK),
};

const HEAD = `# What has gone wrong elsewhere

Failures of other chat servers, of libraries, and defaults of the stack this is built on: each with the test that keeps it from
happening here, or the reason why it cannot. Made of \`test/failures.ts\`; a test sees to it that the tests are there.
\`FAILURES=write npx jest test/unit/house/failures\` writes it.
`;

export function page(): string {
  const rows = Object.entries(FAILURES).map(([where, { what, tests = [], none: why }]) => {
    const files = [...new Set(tests.map(({ file }) => `\`${file.replace(/\.test$/, "")}\``))].join(", ");
    return `| ${where} | ${what} | ${files || "none"} | ${tests.map(({ title }) => title).join("; ") || why} |`;
  });
  return `${HEAD}\n| where | what | tests in | title, or why there is none |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}
