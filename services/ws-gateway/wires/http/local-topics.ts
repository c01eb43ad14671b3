import type { HttpTransport } from "./http.transport";

/** The engine's publish, for connections that the engine does not have. */
export class LocalTopics {
  private readonly topics = new Map<string, Set<HttpTransport>>();

  subscribe(topic: string, transport: HttpTransport): void {
    const all = this.topics.get(topic) ?? new Set();
    this.topics.set(topic, all.add(transport));
  }

  unsubscribe(topic: string, transport: HttpTransport): void {
    const all = this.topics.get(topic);
    if (all?.delete(transport) && all.size === 0) this.topics.delete(topic);
  }

  publish(topic: string, text: string): void {
    for (const transport of this.topics.get(topic) ?? []) transport.send(text);
  }
}
