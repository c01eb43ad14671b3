import type { IncomingMessage } from "node:http";
import {
  clientAddress,
  normalAddress,
  recordClientAddress,
  TrustedProxies,
} from "../../../services/core/client-address";

const from = (remoteAddress: string | undefined, headers: Record<string, string> = {}): IncomingMessage =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;

describe("normalAddress", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["0000:0000:0000:0000:0000:ffff:7f00:0001", "127.0.0.1"],
    ["0000:0000:0000:0000:0000:0000:0000:0001", "::1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["127.1", ""],
    ["localhost", ""],
    [undefined, ""],
  ])("spells %s as %j", (given, normal) => {
    expect(normalAddress(given)).toBe(normal);
  });
});

describe("TrustedProxies", () => {
  it.each(["localhost", "10.0.0.0/33", "10.0.0.0/x", "", "::1/129", "10.0.0.0/"])("refuses %j by name", entry => {
    expect(() => new TrustedProxies([entry])).toThrow(`"${entry}"`);
  });

  it("knows addresses and blocks of both families", () => {
    const proxies = new TrustedProxies(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]);
    expect(["10.255.0.1", "192.0.2.1", "2001:db8:1::1"].map(address => proxies.has(address))).toEqual([
      true,
      true,
      true,
    ]);
    expect(["11.0.0.1", "192.0.2.2", "2001:db9::1", ""].map(address => proxies.has(address))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it.each<[string, string | undefined, string, string]>([
    ["203.0.113.7", "1.1.1.1", "203.0.113.7", "the peer is no proxy"],
    ["10.0.0.1", undefined, "10.0.0.1", "nothing is forwarded"],
    ["10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7", "right-most stranger"],
    ["10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7", "over a second proxy"],
    ["10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", "proxies all the way"],
    ["10.0.0.1", "203.0.113.7, unknown", "10.0.0.1", "a hop that is no address ends the chain"],
    ["::ffff:10.0.0.1", "203.0.113.7:1234", "203.0.113.7", "a port"],
  ])("resolves %s with %j to %s: %s", (peer, forwardedFor, client) => {
    expect(new TrustedProxies(["10.0.0.0/8"]).client(peer, forwardedFor)).toBe(client);
  });
});

describe("clientAddress", () => {
  it("believes the connection and no header by default", () => {
    expect(clientAddress(from("::ffff:192.0.2.9", { "x-forwarded-for": "1.1.1.1" }))).toBe("192.0.2.9");
    expect(clientAddress(from(undefined))).toBe("");
  });

  it("believes a configured proxy's header", () => {
    const proxies = new TrustedProxies(["192.0.2.9"]);
    expect(clientAddress(from("192.0.2.9", { "x-forwarded-for": "1.1.1.1" }), proxies)).toBe("1.1.1.1");
  });

  it("is what the listener recorded, whatever the connection and its headers say", () => {
    const request = from("192.0.2.9", { "x-forwarded-for": "1.1.1.1" });
    recordClientAddress(request, "203.0.113.7");
    expect(clientAddress(request, new TrustedProxies(["192.0.2.9"]))).toBe("203.0.113.7");
  });
});
