import type { Origin } from "./client";
import { eventually } from "./eventually";
import { Rest } from "./rest";
import { SignalrClient } from "./signalr";
import { SocketClient } from "./socket";
import { SocketioClient } from "./socketio";

/** A door, and what it says to a token: `in`, or the code by which it refuses. Nothing stays open. */
export interface Admission {
  readonly name: "REST" | "native" | "SignalR" | "Socket.IO" | "stream" | "files";
  admit(server: Origin, token: string): Promise<string>;
}

const byStatus = (status: number): string =>
  status < 300 ? "in" : status === 401 ? "UNAUTHENTICATED" : String(status);

export const ADMISSIONS: readonly Admission[] = [
  {
    name: "REST",
    async admit({ url }, token) {
      const { status, body } = await new Rest(url, token).get("/api/users/me");
      return status === 200 ? "in" : ((body.code as string | undefined) ?? String(status));
    },
  },
  {
    name: "native",
    async admit({ wsUrl }, token) {
      const socket = await SocketClient.open(wsUrl);
      try {
        const answer = await socket.hello(token);
        return answer.t === "welcome" ? "in" : (answer.code as string);
      } finally {
        socket.cut();
      }
    },
  },
  {
    name: "SignalR",
    async admit({ url }, token) {
      try {
        await (await SignalrClient.open(url, token)).close();
        return "in";
      } catch (error) {
        return /'401'|Unauthorized/.test((error as Error).message) ? "UNAUTHENTICATED" : (error as Error).message;
      }
    },
  },
  {
    name: "Socket.IO",
    async admit({ url }, token) {
      try {
        (await SocketioClient.open(url, token, { reconnection: false })).close();
        return "in";
      } catch (error) {
        return (error as { data?: { code?: string } }).data?.code ?? (error as Error).message;
      }
    },
  },
  {
    name: "stream",
    async admit({ url }, token) {
      const ended = new AbortController();
      const headers = { authorization: `Bearer ${token}` };
      try {
        return byStatus((await fetch(`${url}/stream`, { headers, signal: ended.signal })).status);
      } finally {
        ended.abort();
      }
    },
  },
  {
    name: "files",
    async admit({ url }, token) {
      return byStatus((await new Rest(url, token).raw("POST", "/api/files?name=a.txt", "words")).status);
    },
  },
];

/** Resolves once every door says that the token is none; of a cluster's gateways one may hear of its end later than another. */
export async function shut(server: Origin, token: string): Promise<void> {
  for (const { name, admit } of ADMISSIONS)
    await eventually(
      `${name} is shut`,
      () => admit(server, token),
      verdict => verdict === "UNAUTHENTICATED",
    );
}
