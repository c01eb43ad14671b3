import { isDeepStrictEqual } from "node:util";
import type { Message, MessageVersion } from "../../services/core/model";

interface Shown {
  /** Oldest first; the last is how it is now. */
  texts: MessageVersion[];
  /** Edits it was told of since it was told of the message. */
  edits: number;
  /** It was told of the message when that was new: every edit since is one of `edits`. */
  fromNew: boolean;
}

/** What messages said, one text after the other, as events have shown it. A replay shows the last text alone. */
export class Versions {
  private readonly all = new Map<string, Shown>();

  begin(messages: readonly Message[]): void {
    this.all.clear();
    for (const message of messages) this.all.set(message.id, { texts: [version(message)], edits: 0, fromNew: false });
  }

  sent(message: Message): void {
    if (this.all.has(message.id)) return;
    const fromNew = message.editedAt === undefined && message.deletedAt === undefined;
    this.all.set(message.id, { texts: [version(message)], edits: 0, fromNew });
  }

  edited(message: Message): void {
    const shown = this.all.get(message.id);
    if (!shown) return;
    shown.edits += 1;
    const now = version(message);
    const last = shown.texts.at(-1) as MessageVersion;
    // What was fetched may be ahead of what is told again.
    if (shown.fromNew ? !isDeepStrictEqual(last, now) : now.at > last.at) shown.texts.push(now);
  }

  /** What differs from the versions that were fetched of a message and how it is now. */
  differences(message: Message, fetched: readonly MessageVersion[]): string[] {
    const shown = this.all.get(message.id);
    if (!shown) return [];
    const all = [...fetched, version(message)];
    const saw = `versions of message ${message.seq}: shown ${JSON.stringify(shown)}, fetched ${JSON.stringify(all)}`;
    const whole = shown.fromNew && shown.texts.length === shown.edits + 1;
    if (whole) return isDeepStrictEqual(shown.texts, all) ? [] : [saw];
    const counted = !shown.fromNew || all.length === shown.edits + 1;
    return counted && isWithin(shown.texts, all) ? [] : [saw];
  }
}

/** Whether the second has all of the first, in that order. */
function isWithin(some: readonly MessageVersion[], all: readonly MessageVersion[]): boolean {
  let at = 0;
  for (const one of all) if (at < some.length && isDeepStrictEqual(one, some[at])) at += 1;
  return at === some.length;
}

const version = ({ text, editedAt, createdAt }: Message): MessageVersion => ({ text, at: editedAt ?? createdAt });
