import { Addresses } from "../../../services/ws-gateway/addresses";

describe("open sockets by address", () => {
  it("are those of its network: whoever has one IPv6 address has 2^64 of them", () => {
    const addresses = new Addresses();
    for (let host = 1; host <= 5; host++) addresses.opened(`2001:db8:0:7::${host}`);
    addresses.opened("2001:db8:0:8::1");
    addresses.opened("203.0.113.1");
    addresses.opened("203.0.113.2");
    expect(addresses.of("2001:db8:0:7:ffff::9")).toEqual({ sockets: 5, strangers: 5 });
    expect(addresses.of("2001:db8:0:8::2")).toEqual({ sockets: 1, strangers: 1 });
    expect(addresses.of("203.0.113.2")).toEqual({ sockets: 1, strangers: 1 });
    addresses.known("2001:db8:0:7::1");
    expect(addresses.of("2001:db8:0:7::2")).toEqual({ sockets: 5, strangers: 4 });
    addresses.closed("2001:db8:0:7::1", false);
    for (let host = 2; host <= 5; host++) addresses.closed(`2001:db8:0:7::${host}`, true);
    expect(addresses.of("2001:db8:0:7::1")).toEqual({ sockets: 0, strangers: 0 });
  });
});
