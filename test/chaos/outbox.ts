import { hashOf } from "./shown";

/** Something a user says, over all its attempts. */
export interface Letter {
  readonly room: string;
  readonly clientId: string;
  readonly text: string;
  readonly hash: string;
  /** An attempt is under way. */
  flying: boolean;
  /** An attempt ended and nobody knows how. */
  doubtful: boolean;
  /** Monotonic milliseconds before which it is not tried again. */
  due: number;
}

/** Acknowledged letters kept, to be repeated much later. */
const KEPT = 200;

/** What one client has to say and what became of it: until it is acknowledged it is repeated, oldest first. */
export class Outbox {
  private readonly open = new Map<string, Letter>();
  private readonly done: Letter[] = [];
  private count = 0;

  constructor(private readonly client: string) {}

  get size(): number {
    return this.open.size;
  }

  write(room: string, text: string): Letter {
    const clientId = `${this.client}-${++this.count}`;
    const whole = `${clientId} ${text}`;
    const letter = { room, clientId, text: whole, hash: hashOf(whole), flying: false, doubtful: false, due: 0 };
    this.open.set(clientId, letter);
    return letter;
  }

  /** Those to be tried (again) now, oldest first. */
  due(now: number): Letter[] {
    return [...this.open.values()].filter(letter => !letter.flying && letter.due <= now);
  }

  /** Everything that is open, whenever it is due. */
  hurry(): void {
    for (const letter of this.open.values()) letter.due = 0;
  }

  acknowledged(letter: Letter): void {
    this.forget(letter);
    this.done.push(letter);
    if (this.done.length > KEPT) this.done.shift();
  }

  forget({ clientId }: Letter): void {
    this.open.delete(clientId);
  }

  /** Acknowledged long ago, or not so long. */
  get old(): readonly Letter[] {
    return this.done;
  }
}

/** The operation of the history and the frame that an attempt is. */
export const attempt = ({ room, clientId, text, hash }: Letter) => ({
  asked: { op: "send" as const, room, clientId, hash },
  frame: { t: "send", room, clientId, text },
});
