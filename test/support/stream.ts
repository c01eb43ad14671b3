import { eventually } from "./eventually";
import type { Body } from "./rest";

/** Somebody at `/stream`: keeps what he is told, and says native frames by requests. */
export class StreamClient {
  heard = "";
  /** When the server ends it. */
  readonly ended: Promise<void>;
  private session = "";

  private constructor(
    private readonly url: string,
    private readonly token: string,
    answer: Response,
    private readonly gone: AbortController,
  ) {
    this.ended = this.read(answer).catch(() => undefined);
  }

  /** Welcomed; throws with the status of a refusal. @param rooms as in the query */
  static async open(url: string, token: string, rooms = ""): Promise<StreamClient> {
    const gone = new AbortController();
    const answer = await fetch(`${url}/stream?rooms=${encodeURIComponent(rooms)}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: gone.signal,
    });
    if (answer.status !== 200) throw new Error(String(answer.status));
    const client = new StreamClient(url, token, answer, gone);
    const welcome = await eventually(
      "the stream's welcome",
      () => client.frames.find(({ t }) => t === "welcome"),
      frame => frame !== undefined,
    );
    client.session = (welcome as Body).session as string;
    return client;
  }

  get frames(): Body[] {
    return this.heard
      .split("\n\n")
      .slice(0, -1)
      .filter(text => text.startsWith("data: "))
      .map(text => JSON.parse(text.slice(6)) as Body);
  }

  /** The answer to a frame. */
  async request(frame: object): Promise<Body> {
    return (await this.post(JSON.stringify({ i: 1, ...frame }))).body;
  }

  /** A body as it stands. */
  async post(body: string): Promise<{ status: number; body: Body }> {
    const answer = await fetch(`${this.url}/stream?session=${encodeURIComponent(this.session)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.token}` },
      body,
    });
    return { status: answer.status, body: (await answer.json()) as Body };
  }

  close(): void {
    this.gone.abort();
  }

  private async read(answer: Response): Promise<void> {
    for await (const part of answer.body!) this.heard += Buffer.from(part).toString();
  }
}
