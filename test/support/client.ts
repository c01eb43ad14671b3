import { randomBytes } from "node:crypto";
import { Rest, type Answer, type Body } from "./rest";
import { SocketClient, type SocketOptions } from "./socket";
import type { Server } from "./server";

/** An id as ours are, of nobody and nothing. */
export const MISSING = "01a1fc87-9015-75b5-9683-ef4249e15e36";

/** What users need of a server. */
export type Origin = Pick<Server, "url" | "wsUrl" | "adminPassword">;

/** A signed-in user: the REST door and sockets of his. */
export class Client extends Rest {
  readonly sockets: SocketClient[] = [];

  constructor(
    private readonly server: Origin,
    readonly user: Body,
    token: string,
    readonly refreshToken: string,
    readonly password: string,
  ) {
    super(server.url, token);
  }

  get id(): string {
    return this.user.id as string;
  }

  get username(): string {
    return this.user.username as string;
  }

  /** A socket that has said hello, subscribed to `rooms` from their heads. */
  async socket(
    rooms: string[] | Record<string, number | null> = [],
    more: Record<string, unknown> = {},
  ): Promise<SocketClient> {
    const socket = await this.connect();
    const from = Array.isArray(rooms) ? Object.fromEntries(rooms.map(room => [room, null])) : rooms;
    const welcome = await socket.hello(this.token as string, from, more);
    if (welcome.t !== "welcome") throw new Error(`no welcome: ${JSON.stringify(welcome)}`);
    return socket;
  }

  /** A socket that has not. */
  async connect(options?: SocketOptions): Promise<SocketClient> {
    const socket = await SocketClient.open(this.server.wsUrl, options);
    this.sockets.push(socket);
    return socket;
  }
}

/** Users who register at once. */
const AT_ONCE = 4;

/** What a test file shares: the server, the admin, and everybody it made. Works against a server that others use too. */
export class Stage<S extends Origin = Server> {
  private readonly people: Client[] = [];
  private constructor(
    readonly server: S,
    readonly admin: Client,
  ) {}

  static async on<S extends Origin>(server: S): Promise<Stage<S>> {
    const login = { username: "admin", password: server.adminPassword };
    const answer = expectStatus(await new Rest(server.url).post("/api/auth/login", login), 200);
    return new Stage(server, clientOf(server, answer, login.password));
  }

  get nobody(): Rest {
    return new Rest(this.server.url);
  }

  /** Registers a user. */
  async user(name = "user", { password = "a-good-password" } = {}): Promise<Client> {
    const username = unique(name);
    const body = { username, email: `${username}@example.org`, password };
    const client = clientOf(
      this.server,
      expectStatus(await this.nobody.post("/api/auth/register", body), 201),
      password,
    );
    this.people.push(client);
    return client;
  }

  /** A few at a time: a server refuses more sign-ins at once than it gets through in time. */
  async users(...names: string[]): Promise<Client[]> {
    const users: Client[] = [];
    while (users.length < names.length) {
      const next = names.slice(users.length, users.length + AT_ONCE);
      users.push(...(await Promise.all(next.map(name => this.user(name)))));
    }
    return users;
  }

  /** Signs in anew: a second session. */
  async login(client: Client): Promise<Client> {
    const body = { username: client.username, password: client.password };
    const answer = expectStatus(await this.nobody.post("/api/auth/login", body), 200);
    const again = clientOf(this.server, answer, client.password);
    this.people.push(again);
    return again;
  }

  /** A user with a role of the whole installation. */
  async withRoles(name: string, roles: string[]): Promise<Client> {
    const user = await this.user(name);
    expectStatus(await this.admin.patch(`/api/users/${user.id}`, { roles }), 200);
    return this.login(user);
  }

  /** A channel of the admin's with members. Returns its id. */
  async channel(members: Client[] = [], { isPrivate = false, owner = this.admin } = {}): Promise<string> {
    const made = await owner.post("/api/channels", { name: unique("room"), isPrivate });
    const { id } = expectStatus(made, 201).body;
    for (const { id: userId } of members)
      expectStatus(await owner.post(`/api/channels/${id}/members`, { userId }), 201);
    return id as string;
  }

  /** The direct conversation of two people. */
  async direct(one: Client, other: Client): Promise<string> {
    const answer = await one.post("/api/conversations", { type: "direct", members: [other.id] });
    if (answer.status !== 200 && answer.status !== 201) expectStatus(answer, 201);
    return answer.body.id as string;
  }

  /** Closes every socket and throws if the server broke a promise of the wire on one of them. */
  async end(): Promise<void> {
    for (const socket of [this.admin, ...this.people].flatMap(client => client.sockets)) {
      socket.check();
      socket.cut();
    }
  }
}

/** The answer, if it has this status; else throws with what it was. */
export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status)
    throw new Error(`status ${answer.status}, not ${status}: ${JSON.stringify(answer.body).slice(0, 500)}`);
  return answer;
}

/** A message sent over REST. */
export async function say(client: Rest, room: string, text: string, more: Record<string, unknown> = {}): Promise<Body> {
  const answer = await client.post(`/api/channels/${room}/messages`, { text, ...more });
  return expectStatus(answer, 201).body;
}

/** A name nobody has, also on a server that was there before. */
export const unique = (prefix: string): string => `${prefix}-${randomBytes(5).toString("hex")}`;

function clientOf(server: Origin, { body }: Answer, password: string): Client {
  return new Client(server, body.user, body.accessToken, body.refreshToken, password);
}
