import type { Reply, UpgradeRequest } from "./engine";

/** Opening handshake and close frame, RFC 6455, as far as both drivers share them. */

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The subprotocols offered; undefined if the header is malformed. */
function parseProtocols(value: string | undefined): string[] | undefined {
  if (value === undefined || value === "") return [];
  const protocols = value.split(",").map(token => token.trim());
  return protocols.every(token => TOKEN.test(token)) ? protocols : undefined;
}

/** The request as the gateway sees it, or the answer to a malformed handshake. */
export function readHandshake(
  url: string,
  address: string,
  header: (name: string) => string | undefined,
): UpgradeRequest | Reply {
  if (header("sec-websocket-version") !== "13") {
    return { status: 426, headers: { "Sec-WebSocket-Version": "13" }, body: "WebSocket version 13 is spoken here" };
  }
  const protocols = parseProtocols(header("sec-websocket-protocol"));
  if (!KEY.test(header("sec-websocket-key") ?? "") || protocols === undefined) {
    return { status: 400, body: "Malformed WebSocket handshake" };
  }
  const mark = url.indexOf("?");
  return {
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? "" : url.slice(mark + 1),
    address,
    protocols,
    header,
  };
}

/** A close reason cut to the 123 bytes a control frame has room for, on a character's border. */
export function cutReason(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= 123) return reason;
  let end = 123;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
