import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6, SocketAddress } from "node:net";

/**
 * Who a request comes from. The peer of the connection counts, unless it is a configured proxy: then the right-most
 * address of `X-Forwarded-For` that is not a proxy itself. Nothing else a client sends is believed.
 */

/** Request headers (lower case) that only a configured proxy may set; from anybody else they are dropped. */
const FORWARDING = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip",
]);

/** Whether `name` (lower case) is a header with which proxies tell of the client. */
export const isForwardingHeader = (name: string): boolean => FORWARDING.has(name);

/** The one spelling of an IP address: IPv4 in an IPv6 shell is unwrapped, IPv6 is compressed. Not an address: `""`. */
export function normalAddress(address: string | undefined): string {
  if (address === undefined) return "";
  const bare = address.split("%", 1)[0] ?? "";
  const kind = isIP(bare);
  if (kind === 4) return bare;
  if (kind === 0) return "";
  const canonical = new SocketAddress({ address: bare, family: "ipv6" }).address;
  return canonical.startsWith("::ffff:") && canonical.includes(".") ? canonical.slice(7) : canonical;
}

/** One entry of X-Forwarded-For: an address, perhaps with a port (`1.2.3.4:80`, `[::1]:80`). */
function parseHop(entry: string): string {
  const hop = entry.trim();
  if (hop.startsWith("[")) return normalAddress(hop.slice(1, hop.indexOf("]")));
  const colon = hop.indexOf(":");
  return normalAddress(colon !== -1 && colon === hop.lastIndexOf(":") ? hop.slice(0, colon) : hop);
}

/** The proxies whose word on the client's address is taken. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #empty: boolean;

  /** @param entries IP addresses and CIDR blocks. @throws TypeError naming an entry that is neither. */
  constructor(entries: readonly string[]) {
    this.#empty = entries.length === 0;
    for (const entry of entries) {
      const [address = "", prefix] = entry.trim().split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      const bits =
        prefix === undefined ? (family === "ipv6" ? 128 : 32) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (isIP(address) === 0 || bits < 0 || bits > (family === "ipv6" ? 128 : 32)) {
        throw new TypeError(`not an address or CIDR block: "${entry}"`);
      }
      this.#list.addSubnet(address, bits, family);
    }
  }

  /** Whether `address` (normal form) is one of them. */
  has(address: string): boolean {
    return !this.#empty && address !== "" && this.#list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  }

  /**
   * The client's address, in normal form.
   * @param peer address of the other end of the connection
   * @param forwardedFor value of `X-Forwarded-For`, looked at only if the peer is a proxy
   */
  client(peer: string | undefined, forwardedFor: string | undefined): string {
    let address = normalAddress(peer);
    if (forwardedFor === undefined || !this.has(address)) return address;
    const hops = forwardedFor.split(",");
    while (hops.length > 0 && this.has(address)) {
      const hop = parseHop(hops.pop() ?? "");
      if (hop === "") break;
      address = hop;
    }
    return address;
  }
}

const recorded = new WeakMap<IncomingMessage, string>();
const nobody = new TrustedProxies([]);

/** For the listener that took the request: fixes its client's address. It rides beside the headers, so none can forge it. */
export function recordClientAddress(request: IncomingMessage, address: string): void {
  recorded.set(request, address);
}

/**
 * The client's address (normal form; `""` if the connection is gone), as the listener in this process recorded it, else
 * from the connection itself.
 * @param proxies for a server that takes TCP connections on its own: the proxies it believes; none by default
 */
export function clientAddress(request: IncomingMessage, proxies: TrustedProxies = nobody): string {
  const known = recorded.get(request);
  if (known !== undefined) return known;
  const forwardedFor = request.headers["x-forwarded-for"];
  return proxies.client(
    request.socket.remoteAddress,
    Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor,
  );
}

/** What counts as one where addresses are counted. One household has 2^64 IPv6 addresses: its network counts. */
export const networkOf = (address: string): string => (isIPv6(address) ? network64(address) : address);

function network64(address: string): string {
  const [head = "", tail] = address.split("::") as [string, string?];
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(":");
}
