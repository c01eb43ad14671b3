import type { Client } from "../support/client";
import { eventually } from "../support/eventually";
import { SocketClient, type Frame } from "../support/socket";
import { isLost } from "./traffic";

/** A reader of rooms through one gateway that comes back where it was and keeps what it saw, over all its sockets. */
export class Follower {
  /** What came of each room, in order. */
  readonly seen = new Map<string, Frame[]>();
  private readonly position = new Map<string, number>();
  private socket: SocketClient | null = null;
  private stopped = false;
  private following: Promise<void> = Promise.resolve();

  constructor(
    readonly client: Client,
    private readonly gateway: string,
    rooms: readonly string[],
  ) {
    for (const room of rooms) this.seen.set(room, []);
  }

  /** Resolves once it is subscribed from the heads; it then follows until it is stopped. */
  async start(): Promise<void> {
    await this.connect([...this.seen.keys()].map(room => [room, null]));
    this.following = this.follow();
    this.following.catch(() => undefined);
  }

  /** Resolves when it has seen the entry of the room; rejects if it does not come or a promise of the wire was broken. */
  async reaches(room: string, offset: number): Promise<void> {
    const at = (): number => this.socket?.position.get(room) ?? 0;
    await Promise.race([
      this.following,
      eventually(`${this.gateway} shows entry ${offset} of ${room}`, at, now => now >= offset, 30_000),
    ]);
  }

  /** Leaves, and does not come back. */
  cut(): void {
    this.stopped = true;
    this.socket?.cut();
  }

  async stop(): Promise<void> {
    this.cut();
    await this.following;
    this.collect();
  }

  private async follow(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.socket?.until("the end of the connection", () => this.stopped, 600_000);
      } catch (error) {
        if (!isLost(error)) throw error;
      }
      this.collect();
      await eventually(`a way back to ${this.gateway}`, () => this.stopped || this.back(), Boolean, 90_000);
    }
  }

  /** Whether it is connected again, where it was. */
  private back(): Promise<boolean> {
    return this.connect([...this.position]).then(
      () => true,
      (error: unknown) => {
        if (!isLost(error)) throw error;
        return false;
      },
    );
  }

  private async connect(rooms: [string, number | null][]): Promise<void> {
    const socket = await SocketClient.open(this.gateway);
    const welcome = await socket.hello(this.client.token as string, Object.fromEntries(rooms));
    if (welcome.t !== "welcome") {
      socket.cut();
      throw new Error(`no welcome: ${JSON.stringify(welcome)}`);
    }
    for (const [room, from] of rooms) {
      const { state, code, offset } = welcome.rooms[room];
      if (code === "UNAVAILABLE" || code === "UNKNOWN_OUTCOME") {
        socket.cut();
        throw new Error(`no welcome: "${code}"`);
      }
      if (state === "reset" || state === "denied") throw new Error(`${room} from ${from}: ${state} ${code ?? ""}`);
      if (from === null) this.position.set(room, offset);
    }
    this.socket = socket;
  }

  /** Takes over what the last socket saw. */
  private collect(): void {
    this.socket?.check();
    for (const [room, seen] of this.seen) {
      const events = this.socket?.events(room) ?? [];
      seen.push(...events);
      const last = events.at(-1);
      if (last) this.position.set(room, last.offset);
    }
    if (this.socket?.all("reset").length) throw new Error("a room was reset");
    this.socket = null;
  }
}
