import type { Param } from "./driver";
import type { Answer, Request } from "./messages";
import type { Sequence, Statement } from "./sequence";

/**
 * How requests cross between the threads: as one flat list of what SQLite can bind, with numbers for statements that were
 * sent before. Of the CPU of a message a structured clone of the same objects, SQL text in each, took 72 microseconds, one
 * JSON text 8, this 3.
 */
export interface WireRequests {
  /** Statements named for the first time: their number and text. */
  texts: [number, string][];
  /**
   * Of each request its kind and id; then of a read, a statement; of a write, the number of its units and of each the number
   * of its statements and these; of a script, its text. Of a statement its number, flags, the number of its parameters, and
   * these.
   */
  items: Param[];
}

const KINDS = ["read", "write", "script", "close"] as const;

const RETURNING = 1;
const SURE = 2;
const AFTER_REFUSAL = 4;

/** Statements that are numbered; the rest, made for one question, travel with a number of their own each time. */
const NUMBERED = 1_000;

/** The asking side. */
export class RequestPacker {
  private readonly numbers = new Map<string, number>();
  private spare = NUMBERED;

  pack(requests: readonly Request[]): WireRequests {
    const wire: WireRequests = { texts: [], items: [] };
    this.spare = NUMBERED;
    for (const request of requests) {
      wire.items.push(KINDS.indexOf(request.kind), request.kind === "close" ? 0 : request.id);
      if (request.kind === "read") this.statement(request, wire);
      else if (request.kind === "write") this.sequence(request.sequence, wire);
      else if (request.kind === "script") wire.items.push(request.sql);
    }
    return wire;
  }

  private sequence(sequence: Sequence, wire: WireRequests): void {
    wire.items.push(sequence.length);
    for (const unit of sequence) {
      wire.items.push(unit.length);
      for (const statement of unit) this.statement(statement, wire);
    }
  }

  private statement({ sql, params = [], returning, sure, afterRefusal }: Statement, wire: WireRequests): void {
    const flags = (returning ? RETURNING : 0) | (sure ? SURE : 0) | (afterRefusal ? AFTER_REFUSAL : 0);
    wire.items.push(this.number(sql, wire), flags, params.length);
    for (const param of params) wire.items.push(param);
  }

  private number(sql: string, { texts }: WireRequests): number {
    const known = this.numbers.get(sql);
    if (known !== undefined) return known;
    const number = this.numbers.size < NUMBERED ? this.numbers.size : this.spare++;
    if (number < NUMBERED) this.numbers.set(sql, number);
    texts.push([number, sql]);
    return number;
  }
}

/** The answering side. */
export class RequestUnpacker {
  private readonly texts = new Map<number, string>();
  private items: readonly Param[] = [];
  private at = 0;

  unpack({ texts, items }: WireRequests): Request[] {
    for (const [number, sql] of texts) this.texts.set(number, sql);
    this.items = items;
    this.at = 0;
    const requests: Request[] = [];
    while (this.at < items.length) requests.push(this.request());
    return requests;
  }

  private request(): Request {
    const [kind, id] = [KINDS[this.next() as number], this.next() as number];
    switch (kind) {
      case "read": {
        const { sql, params } = this.statement();
        return { kind, id, sql, params };
      }
      case "write":
        return { kind, id, sequence: this.list(() => this.list(() => this.statement())) };
      case "script":
        return { kind, id, sql: this.next() as string };
      default:
        return { kind: "close" };
    }
  }

  private statement(): Statement & { params: readonly Param[] } {
    const [number, flags] = [this.next() as number, this.next() as number];
    const params = this.list(() => this.next());
    const has = (flag: number): boolean => (flags & flag) !== 0;
    return {
      sql: this.text(number),
      params,
      returning: has(RETURNING),
      sure: has(SURE),
      afterRefusal: has(AFTER_REFUSAL),
    };
  }

  private list<T>(item: () => T): T[] {
    const list: T[] = [];
    for (let left = this.next() as number; left > 0; left--) list.push(item());
    return list;
  }

  private next(): Param {
    return this.items[this.at++] as Param;
  }

  private text(number: number): string {
    const sql = this.texts.get(number);
    if (sql === undefined) throw new Error(`Statement ${number} was never named`);
    return sql;
  }
}

/** Answers without rows are small and many: as text. Rows are texts themselves, which JSON would only escape. */
export function packAnswers(answers: Answer[]): string | Answer[] {
  return answers.every(isSmall) ? JSON.stringify(answers) : answers;
}

export function unpackAnswers(message: string | Answer[]): Answer[] {
  return typeof message === "string" ? (JSON.parse(message) as Answer[]) : message;
}

function isSmall(answer: Answer): boolean {
  return answer.kind === "commit" || (answer.kind === "result" && answer.result.rows.every(rows => rows.length === 0));
}
