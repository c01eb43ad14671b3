import type { Message, Thread } from "../../../services/core/model";
import { pick, whole } from "../../chaos/random";
import { restOf } from "../fetched";
import { unlike } from "../compare";
import type { Model } from "../model";
import type { Operation } from "../operation";
import { say, textOf } from "./send";
import { recent } from "./targets";

/** Of how many of the last replies one is read up to. */
const BACK = 4;

/** A reply in the thread of an earlier message, or in the one that it is in. */
export const reply: Operation = {
  name: "reply",
  weight: 6,
  sends: true,
  draw(random, { sends, people, kind }) {
    if (sends === 0) return null;
    const named = random() < 0.3 && kind !== "direct" ? [whole(random, 0, people - 1)] : [];
    return {
      text: textOf(random, sends),
      thread: recent(random, sends),
      ...(named.length > 0 && { named }),
      ...(random() < 0.7 && { clientId: `t-${sends}` }),
      ...(random() < 0.2 && { replyTo: recent(random, sends) }),
    };
  },
  run: say,
  events: {
    message(model, data) {
      if (data.threadId !== undefined) replied(model, data);
    },
    edit(model, { threadId, mentions }) {
      if (threadId === undefined || model.threads.follows(threadId)) return;
      if (mentions?.includes(model.me)) model.threads.unsure = true;
    },
  },
  async compare(model, { threads, messages }, _, { wire, client }) {
    if (!wire.knows.everything) return [];
    const roots = model.inOrder.filter(({ thread }) => thread !== undefined);
    roots.sort((one, other) => (other.thread?.lastSeq ?? 0) - (one.thread?.lastSeq ?? 0));
    const first = new Map<string, number>();
    for (const { threadId = "", seq } of messages) if (!first.has(threadId)) first.set(threadId, seq);
    // Where one came in, or read all, before the first reply is nothing that a device need know.
    const shown = ({ id }: Message, { readSeq, ...mine }: Omit<Thread, "root">) => ({
      ...{ root: id, ...mine },
      readSeq: readSeq < (first.get(id) ?? 0) ? 0 : readSeq,
    });
    const found = unlike(
      "threads",
      roots.map(root => shown(root, model.threads.of(root, model.inOrder, model.me))),
      threads.map(({ root, ...mine }) => shown(root, mine)),
    );
    for (const { root } of threads)
      found.push(
        ...unlike(
          "the message a thread began with",
          root,
          messages.find(({ id }) => id === root.id),
        ),
      );
    const [last] = roots;
    if (!last) return found;
    const answer = await restOf(client, { method: "GET", path: `/api/messages/${last.id}/replies?limit=100` });
    const replies = messages.filter(({ threadId }) => threadId === last.id);
    return [...found, ...unlike("replies", replies, answer.state === "ok" ? answer.body.items : answer)];
  },
};

/** Whoever it is hidden from, it counts in the thread; one it counts in already is told again. */
function replied(model: Model, reply: Message): void {
  const { threadId, senderId, seq, createdAt, mentions, editedAt, deletedAt } = reply as Message & { threadId: string };
  const root = model.messages.get(threadId);
  const first = root?.thread === undefined;
  if (root && (root.thread?.lastSeq ?? 0) < seq) {
    const replies = (root.thread?.replies ?? 0) + 1;
    model.messages.set(threadId, { ...root, thread: { replies, lastSeq: seq, lastAt: createdAt } });
  }
  if (root?.senderId === model.me || senderId === model.me) model.threads.follow(threadId);
  if (senderId === model.me) model.threads.read(threadId, seq);
  if (model.threads.follows(threadId)) return;
  // Whom it named at first gives part in the thread, and that is told while it is new alone.
  if (editedAt !== undefined || deletedAt !== undefined) model.threads.unsure = true;
  else if (mentions?.includes(model.me)) named(model, threadId, first);
}

/** In a thread that went on without one, what was said before may be read: the marks that one begins with do not tell. */
function named(model: Model, thread: string, first: boolean): void {
  if (first) model.threads.follow(thread);
  else model.threads.unsure = true;
}

export const readThread: Operation = {
  name: "readThread",
  weight: 4,
  draw(random, { drawn }) {
    const last = pick(random, drawn.filter(({ op }) => op === "reply").slice(-BACK));
    const { text, thread } = last?.args ?? {};
    return last ? { send: Number.parseInt(text as string, 10), ...(random() < 0.7 && { follower: thread }) } : null;
  },
  async run({ send, follower }, turn, scene) {
    // Who wrote what is answered has part in the thread.
    const person = scene.bodies.get(follower as number)?.person ?? turn.person;
    const device = scene.deviceOf(person, turn) ?? turn;
    const root = scene.threadOf(send as number);
    const target = scene.sent.get(send as number);
    if (root === undefined || !target) return;
    await device.does({
      rest: { method: "POST", path: `/api/messages/${root}/replies/read`, body: { seq: target.seq } },
      frame: { t: "call", method: "messages.readThread", params: { id: root, seq: target.seq } },
    });
  },
  notes: { thread: (model, { threadId, seq }) => model.threads.read(threadId, seq) },
};
