import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import { statementsIn, type Answer, type Request } from "./messages";
import type { Sequence } from "./sequence";
import { messageOf, Store, StoreFailure, type StoreOptions } from "./store";
import { packAnswers, RequestUnpacker, type WireRequests } from "./wire";

/**
 * The thread that owns the SQLite file. While one group commits, the next collects in the port; there is no timer, so a
 * lone write commits at once and a crowd shares one fsync.
 */

type Read = Extract<Request, { kind: "read" }>;
type Write = Extract<Request, { kind: "write" | "script" }>;

/** Statements per commit: bounds how long reads wait behind a crowd of writes. */
const GROUP = 4096;

const port = parentPort as MessagePort;
const unpacker = new RequestUnpacker();
const writes: Write[] = [];
let reads: Read[] = [];
let closing = false;

try {
  const store = new Store(workerData as StoreOptions);
  port.on("message", (packet: WireRequests) => {
    accept(packet);
    work(store);
  });
  post([{ kind: "ready" }]);
} catch (error) {
  post([{ kind: "refused", message: messageOf(error) }]);
  port.close();
}

function post(answers: Answer[]): void {
  if (answers.length > 0) port.postMessage(packAnswers(answers));
}

function accept(packet: WireRequests): void {
  for (const request of unpacker.unpack(packet)) {
    if (request.kind === "read") reads.push(request);
    else if (request.kind === "close") closing = true;
    else writes.push(request);
  }
}

function work(store: Store): void {
  do {
    for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port))
      accept(more.message as WireRequests);
    const batch = reads;
    reads = [];
    post(batch.map(request => answerRead(store, request)));
    const group = nextGroup();
    if (group.length > 0) post(commit(store, group));
  } while (writes.length > 0);
  if (!closing) return;
  store.close();
  port.close();
}

function answerRead(store: Store, { id, sql, params }: Read): Answer {
  try {
    return { kind: "rows", id, rows: store.read(sql, params) };
  } catch (error) {
    return error instanceof StoreFailure ? failureOf(error, id) : { kind: "error", id, message: messageOf(error) };
  }
}

/** Takes the writes of the next commit; a script has one of its own, in its place in the order. */
function nextGroup(): Write[] {
  let statements = 0;
  let taken = 0;
  for (const write of writes) {
    const size = write.kind === "script" ? Infinity : statementsIn(write.sequence);
    if (taken > 0 && statements + size > GROUP) break;
    statements += size;
    taken++;
  }
  return writes.splice(0, taken);
}

function commit(store: Store, group: Write[]): Answer[] {
  const start = performance.now();
  try {
    const answers = group[0]?.kind === "script" ? [runScript(store, group[0])] : runGroup(store, group);
    const statements = group.reduce((sum, write) => sum + sizeOf(write), 0);
    answers.push({ kind: "commit", ms: performance.now() - start, statements });
    return answers;
  } catch (error) {
    return group.map(({ id }) => failureOf(error, id));
  }
}

function runScript(store: Store, { id, sql }: Extract<Write, { kind: "script" }>): Answer {
  const failure = store.script(sql);
  return failure ? { kind: "script", id, failure } : { kind: "script", id };
}

function runGroup(store: Store, group: Write[]): Answer[] {
  const sequences: Sequence[] = group.map(write => (write.kind === "write" ? write.sequence : []));
  return store.write(sequences).map((result, index) => ({ kind: "result", id: (group[index] as Write).id, result }));
}

const sizeOf = (write: Write): number => (write.kind === "script" ? 1 : statementsIn(write.sequence));

function failureOf(error: unknown, id: number): Answer {
  // Anything unforeseen during a write may have come after the commit: unknown is the only honest answer.
  if (!(error instanceof StoreFailure))
    return { kind: "failure", id, outcome: "unknown", reason: "io", message: messageOf(error) };
  return { kind: "failure", id, outcome: error.outcome, reason: error.reason, message: error.message };
}
