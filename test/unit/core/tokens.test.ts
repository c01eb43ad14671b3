import { createSecretKey } from "node:crypto";
import jwt from "jsonwebtoken";
import { hasCode } from "../../../services/core/errors";
import { AccessTokens } from "../../../services/core/tokens";

const SECRET = "a secret that is long enough to be one";
const KEY = createSecretKey(Buffer.from(SECRET));
const settings = { secret: SECRET, issuer: "rookery", audience: "rookery", accessTtl: 600 };
const tokens = new AccessTokens(settings);
const identity = {
  id: "019a0000-0000-7000-8000-000000000001",
  username: "ana",
  roles: ["User" as const],
  permissions: ["channels.create" as const],
  sid: "019a0000-0000-7000-8000-000000000002",
};
const now = (): number => Math.floor(Date.now() / 1000);
const claims = () => ({
  ...{ sub: identity.id, name: "ana", roles: ["User"], permissions: [], sid: identity.sid, rev: 3, typ: "access" },
  ...{ iss: "rookery", aud: "rookery", iat: now(), exp: now() + 60 },
});
const made = (payload: object, header: object = {}): string =>
  jwt.sign(payload, KEY, { algorithm: "HS256", header: { alg: "HS256", typ: "JWT", ...header } });

/** What is said of a token: its user's id, or why it is refused. */
function said(token: unknown): string {
  try {
    return tokens.verify(token).identity.id;
  } catch (error) {
    expect(hasCode(error, "UNAUTHENTICATED")).toBe(true);
    return (error as Error).message;
  }
}

const INVALID = "No valid token.";
const EXPIRED = "The token has expired.";

test("a token of ours says who, until when, and what its maker knew", () => {
  const { identity: read, expiresAt, revision } = tokens.verify(tokens.sign(identity, 7));
  expect(read).toEqual(identity);
  expect(revision).toBe(7);
  expect(Math.abs(expiresAt - (Date.now() + 600_000))).toBeLessThan(5_000);
});

describe.each([
  ["of ours", {}],
  ["with another header", { kid: "1" }],
])("a token %s", (_, header) => {
  test("holds while every claim does", () => {
    expect(said(made(claims(), header))).toBe(identity.id);
    expect(said(made({ ...claims(), aud: ["other", "rookery"] }, header))).toBe(identity.id);
    expect(said(made({ ...claims(), exp: now() - 4 }, header))).toBe(identity.id);
    expect(said(made({ ...claims(), nbf: now() + 4 }, header))).toBe(identity.id);
  });

  test.each([
    ["another audience", { aud: "other" }, INVALID],
    ["no audience", { aud: undefined }, INVALID],
    ["another issuer", { iss: "other" }, INVALID],
    ["an end that is past", { exp: now() - 6 }, EXPIRED],
    ["no end", { exp: undefined }, INVALID],
    ["a beginning to come", { nbf: now() + 30 }, INVALID],
    ["another use", { typ: "refresh" }, INVALID],
    ["no session", { sid: undefined }, INVALID],
  ])("is refused with %s", (_claim, changed, answer) => {
    expect(said(made(JSON.parse(JSON.stringify({ ...claims(), ...changed })) as object, header))).toBe(answer);
  });

  test("is refused when a byte of it is another, whatever byte", () => {
    const token = made(claims(), header);
    for (let at = 0; at < token.length; at++) {
      // Another letter with the same last bits, too: a signature has one spelling.
      for (const letter of ["A", "B", "/", "."]) {
        if (token[at] !== letter) expect(said(token.slice(0, at) + letter + token.slice(at + 1))).toBe(INVALID);
      }
      expect(said(token.slice(0, at))).toBe(INVALID);
    }
  });

  test("is refused when it was signed with another secret", () => {
    const other = jwt.sign(claims(), "another secret", { header: { alg: "HS256", ...header } });
    expect(said(other)).toBe(INVALID);
  });
});

test("what is no token is refused", () => {
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
  const body = Buffer.from(JSON.stringify(claims())).toString("base64url");
  const [head = ""] = made(claims()).split(".");
  for (const text of ["", ".", "..", `${none}.${body}.`, `${head}.${body}.`, `${head}.${body}`, `${head}.`, head])
    expect(said(text)).toBe(INVALID);
  expect(said(jwt.sign("a text", KEY))).toBe(INVALID);
  expect(said(`${"x".repeat(5_000)}`)).toBe(INVALID);
  for (const thing of [undefined, null, 1, {}, []]) expect(said(thing)).toBe(INVALID);
});
