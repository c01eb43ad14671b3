import Validator from "fastest-validator";
import { KINDS, type Argument, type Kind } from "../../core/calls";
import { invalidField } from "../../core/errors";
import { SEND_BODY } from "../../core/frames";
import type { SendBody } from "../../core/send";

/** Checked arguments of a call by their names. */
export interface Arguments {
  [name: string]: unknown;
  channelId: string;
  id: string;
  text: string;
  emoji: string;
  isTyping: boolean;
  on: boolean;
  seq: number;
  private: boolean | undefined;
  afterSeq: number | undefined;
  payload: SendBody;
}

const BODY: ReadonlySet<string> = new Set(Object.keys(SEND_BODY));

/** Of a list, by place. Throws INVALID where one is not what is asked for. */
export function argumentsAt(list: unknown, wanted: readonly Argument[]): Arguments {
  const given: unknown[] = Array.isArray(list) ? list : [];
  return taken(wanted, ({ kind }, at) => [`argument ${at + 1}`, kind === "message" ? payload(given[at]) : given[at]]);
}

/** Of an object, by name; a first argument that is a text may stand alone. Throws INVALID. */
export function argumentsIn(object: unknown, wanted: readonly Argument[]): Arguments {
  const first = wanted[0]?.name ?? "";
  const given = typeof object === "string" ? { [first]: object } : isObject(object) ? object : {};
  const names = new Set(wanted.map(({ name }) => name));
  return taken(wanted, ({ name, kind }) => {
    if (kind === "message") return [name, Object.fromEntries(Object.entries(given).filter(([key]) => !names.has(key)))];
    return [name, Object.hasOwn(given, name) ? given[name] : undefined];
  });
}

function taken(
  wanted: readonly Argument[],
  look: (wanted: Argument, at: number) => [shown: string, value: unknown],
): Arguments {
  const all: Record<string, unknown> = {};
  for (const [at, argument] of wanted.entries()) {
    const [shown, value] = look(argument, at);
    if (argument.optional && (value === undefined || value === null)) continue;
    const complaint = CHECKS[argument.kind](value);
    if (complaint !== null) throw invalidField(shown, complaint);
    all[argument.name] = value;
  }
  return all as Arguments;
}

const validator = new Validator({ useNewCustomCheckerFunction: true });

function checkOf(kind: Kind): (value: unknown) => string | null {
  const { rule, complaint } = KINDS[kind];
  const check = validator.compile({ value: rule } as never) as (given: object) => unknown;
  return value => (check({ value }) === true ? null : complaint);
}

/** What is wrong with a value; null if nothing is. What a text or a message may be is checked where it is used. */
const CHECKS: Record<Kind, (value: unknown) => string | null> = {
  id: checkOf("id"),
  text: checkOf("text"),
  flag: checkOf("flag"),
  seq: checkOf("seq"),
  message(value) {
    if (!isObject(value)) return KINDS.message.complaint;
    const strange = Object.keys(value).find(key => !BODY.has(key));
    return strange === undefined ? null : `There is no field ${strange.slice(0, 64)}.`;
  },
};

const payload = (value: unknown): unknown => (typeof value === "string" ? { text: value } : value);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
