import { Mistake } from "../backup/mistake";
import type { Archive } from "./archive";
import { lineOf } from "./names";
import {
  LISTS,
  messageOf,
  pinsOf,
  personOf,
  plainText,
  senderOf,
  type SlackChannel,
  type SlackMessage,
  type SlackUser,
} from "./slack";
import type { Source, SourceItem, SourcePerson, SourceRoom } from "./source";

/** A Slack export: lists of people and rooms, and a folder for each room with a file for each day. A day is in memory at a time. */
export class SlackSource implements Source {
  readonly origin = "slack";
  /** Senders whom the list of people does not have. */
  private readonly strangers = new Map<string, SourcePerson>();

  private constructor(
    private readonly archive: Archive,
    private readonly people: ReadonlyMap<string, SourcePerson>,
  ) {}

  /** Throws Mistake for what is no such export. */
  static async open(archive: Archive): Promise<SlackSource> {
    if (!archive.names().includes("users.json"))
      throw new Mistake("this is no Slack export: there is no users.json in it");
    const users = await listIn<SlackUser>(archive, "users.json");
    return new SlackSource(archive, new Map(users.map(user => [user.id, personOf(user)])));
  }

  person(key: string): SourcePerson {
    return this.people.get(key) ?? this.strangers.get(key) ?? personOf({ id: key });
  }

  async *rooms(): AsyncIterable<SourceRoom> {
    for (const { file, kind, isPrivate } of LISTS) {
      if (!this.archive.names().includes(file)) continue;
      for (const channel of await listIn<SlackChannel>(this.archive, file)) {
        const { id, name, created = 0, creator, members = [], topic, purpose } = channel;
        const about = lineOf(
          plainText(topic?.value || purpose?.value || "", user => this.nameOf(user)),
          500,
        );
        yield {
          key: id,
          kind,
          name: kind === "direct" ? null : (lineOf(name, 80) ?? id.toLowerCase()),
          isPrivate,
          ...(about !== undefined && kind !== "direct" && { topic: about }),
          createdAt: new Date(created * 1_000).toISOString(),
          ...(creator && { createdBy: creator }),
          members: members.map(person => ({
            person,
            role: kind !== "direct" && person === creator ? "owner" : "member",
            state: "member",
          })),
          messages: () => this.messages(channel),
        };
      }
    }
  }

  close(): Promise<void> {
    return this.archive.close();
  }

  private async *messages(channel: SlackChannel): AsyncIterable<SourceItem> {
    const { id, name } = channel;
    const pins = pinsOf(channel);
    const days = this.archive
      .names()
      .filter(file => /^[^/]+\/\d{4}-\d\d-\d\d\.json$/.test(file))
      .filter(file => [id, name].includes(file.slice(0, file.indexOf("/"))))
      .sort();
    for (const day of days) {
      const messages = await listIn<SlackMessage>(this.archive, day);
      const inOrder = messages.sort((one, other) => Number(one.ts ?? 0) - Number(other.ts ?? 0));
      for (const raw of inOrder) {
        const item = messageOf(raw, id, user => this.nameOf(user), pins);
        if (item.message) this.meet(raw);
        yield item;
      }
    }
  }

  private meet(raw: SlackMessage): void {
    const sender = senderOf(raw);
    if (sender && !this.people.has(sender.key) && !this.strangers.has(sender.key))
      this.strangers.set(sender.key, sender);
  }

  private nameOf(user: string): string {
    return this.person(user).username;
  }
}

async function listIn<T extends object>(archive: Archive, name: string): Promise<T[]> {
  const text = await archive.read(name);
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list.filter(entry => typeof entry === "object" && entry !== null) as T[];
  } catch {
    // Told below, as everything else that is no list.
  }
  throw new Mistake(`${name} is no list in JSON`);
}
