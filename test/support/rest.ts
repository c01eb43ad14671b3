/** An answer of the REST door. `body` is the parsed JSON, or the text if it is none. */
export interface Answer<T = Body> {
  status: number;
  headers: Headers;
  body: T;
}

/** JSON of unknown depth that tests may look into; a wrong guess is undefined and fails the expectation. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = any;

/** Requests of one user, or of nobody. Never throws for a status; rejects only if there was no answer. */
export class Rest {
  constructor(
    readonly origin: string,
    readonly token?: string,
  ) {}

  as(token: string | undefined): Rest {
    return new Rest(this.origin, token);
  }

  get(path: string): Promise<Answer> {
    return this.request("GET", path);
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.request("POST", path, body);
  }

  put(path: string, body?: unknown): Promise<Answer> {
    return this.request("PUT", path, body);
  }

  patch(path: string, body?: unknown): Promise<Answer> {
    return this.request("PATCH", path, body);
  }

  delete(path: string, body?: unknown): Promise<Answer> {
    return this.request("DELETE", path, body);
  }

  request(method: string, path: string, body?: unknown): Promise<Answer> {
    if (body === undefined) return this.raw(method, path);
    return this.raw(method, path, JSON.stringify(body), { "content-type": "application/json" });
  }

  /** A body as it stands. */
  async raw(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer> | FormData,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(this.origin + path, {
      method,
      body,
      headers: { ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }), ...headers },
      redirect: "manual",
    });
    const text = await response.text();
    const json = /[/+]json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, body: json && text !== "" ? JSON.parse(text) : text };
  }
}
