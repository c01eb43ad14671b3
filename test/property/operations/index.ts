import type { Operation, Telling } from "../operation";
import { comeBack, goAway } from "./away";
import { converse } from "./converse";
import { remove } from "./delete";
import { edit } from "./edit";
import { everybody } from "./everybody";
import { hide } from "./hide";
import { delivered, read } from "./marks";
import { add, join, leave, takeOut } from "./members";
import { mode, slow } from "./modes";
import { pin } from "./pins";
import { react } from "./react";
import { archive, ban, mute } from "./sanctions";
import { again, send } from "./send";
import { settings } from "./settings";
import { readThread, reply } from "./threads";
import { markUnread, readAll, readAlone } from "./unread";
import { versions } from "./versions";

/** Everything people do. */
export const OPERATIONS: readonly Operation[] = [
  send,
  again,
  edit,
  remove,
  react,
  read,
  delivered,
  join,
  leave,
  add,
  takeOut,
  ban,
  mute,
  archive,
  settings,
  reply,
  readThread,
  pin,
  hide,
  readAlone,
  markUnread,
  readAll,
  everybody,
  mode,
  slow,
  converse,
  versions,
  goAway,
  comeBack,
];

const byName = new Map(OPERATIONS.map(operation => [operation.name, operation]));

export function operationOf(name: string): Operation {
  const operation = byName.get(name);
  if (!operation) throw new Error(`there is no operation ${name}`);
  return operation;
}

/** What all of them say about each kind, one after the other. */
function joined(of: (operation: Operation) => Readonly<Record<string, Telling>> | undefined): Record<string, Telling> {
  const all: Record<string, Telling> = {};
  for (const [kind, telling] of OPERATIONS.flatMap(operation => Object.entries(of(operation) ?? {}))) {
    const before = all[kind];
    all[kind] = before
      ? (...args) => {
          before(...args);
          telling(...args);
        }
      : telling;
  }
  return all;
}

export const TELLINGS = { events: joined(({ events }) => events), notes: joined(({ notes }) => notes) };
