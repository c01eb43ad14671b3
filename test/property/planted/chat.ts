import type { UserNote } from "../../../services/core/model";
import { EVERYBODY, type Entry } from "../../../services/messages/message.store";
import { Surroundings } from "../../../services/messages/surroundings";
import { everyNth, wrapBus, wrapStore } from "../../planted/seams";
import { leaving, otherwise, RARELY, type Defect } from "./defect";

/** Stored otherwise than it is told: each note of a kind, for there are few. */
const noting = (kind: UserNote["kind"], change: (note: UserNote) => UserNote): void =>
  otherwise(
    entry => entry.kind === "user" && noteOf(entry).kind === kind,
    entry => ({ ...entry, data: JSON.stringify(change(noteOf(entry))) }),
    1,
  );

const noteOf = ({ data }: Entry): UserNote => JSON.parse(data ?? "null") as UserNote;

/** The rules of a room are now and then forgotten by who decides about a message. */
function forgetting(what: "mode" | "slowMode"): void {
  const { load } = Surroundings.prototype;
  const due = everyNth(RARELY);
  Surroundings.prototype.load = async function (this: Surroundings, jobs) {
    const loaded = await load.call(this, jobs);
    const { rules } = loaded;
    if (rules instanceof Error || !due()) return loaded;
    return { ...loaded, rules: { ...rules, ...(what === "mode" ? { mode: "open" as const } : { slowMode: 0 }) } };
  };
}

/** Nobody who decides about a message knows that somebody is muted. */
function muteUnheard(): void {
  const { load } = Surroundings.prototype;
  Surroundings.prototype.load = async function (this: Surroundings, jobs) {
    const loaded = await load.call(this, jobs);
    const access = new Map(
      [...loaded.access].map(([user, known]) => [
        user,
        "mutedUntil" in known ? { ...known, mutedUntil: undefined } : known,
      ]),
    );
    return { ...loaded, access: access as typeof loaded.access };
  };
}

/** What goes wrong with threads, pins, versions, marks, calls, modes and rooms that come up. */
export const CHAT: readonly Defect[] = [
  {
    name: "reply-uncounted",
    what: "now and then a reply is not counted on the message that its thread began with",
    plant: () =>
      otherwise(
        ({ thread, change }) => thread !== undefined && change !== undefined,
        entry =>
          leaving(entry, ({ thread, ...root }) => ({
            ...root,
            ...(thread && thread.replies > 1 && { thread: { ...thread, replies: thread.replies - 1 } }),
          })),
      ),
  },
  {
    name: "thread-mark-behind",
    what: "of a thread that was read, one reply stays unread",
    plant: () =>
      noting("thread", note =>
        note.kind === "thread" ? { ...note, data: { ...note.data, seq: note.data.seq - 1 } } : note,
      ),
  },
  {
    name: "unpinned-stays",
    what: "a message that is pinned no more stays in the list",
    plant: () =>
      otherwise(
        ({ change }) => change?.pinned === false,
        entry => {
          const { pinned: _, ...change } = entry.change ?? { offset: 0, data: "" };
          return { ...entry, change };
        },
        1,
      ),
  },
  {
    name: "version-lost",
    what: "now and then an edit does not keep what the message said before",
    plant: () =>
      otherwise(
        ({ change }) => change?.version !== undefined,
        entry => {
          const { version: _, ...change } = entry.change ?? { offset: 0, data: "" };
          return { ...entry, change };
        },
      ),
  },
  {
    name: "hidden-shown",
    what: "every second message that somebody has deleted for himself is shown to him again",
    plant: () =>
      wrapStore(store => ({
        hiddenBy: async (...args) => (await store.hiddenBy(...args)).filter(seq => seq % 2 === 0),
      })),
  },
  {
    name: "private-mark-behind",
    what: "who has read for himself alone is stored as having read less",
    plant: () =>
      noting("read", note =>
        note.kind === "read" && note.data.private ? { ...note, data: { ...note.data, seq: note.data.seq - 1 } } : note,
      ),
  },
  {
    name: "unread-from-the-next",
    what: "what is marked unread begins one message late",
    plant: () =>
      noting("unread", note =>
        note.kind === "unread" ? { ...note, data: { ...note.data, seq: note.data.seq + 1 } } : note,
      ),
  },
  {
    name: "all-but-one-read",
    what: "who reads all has the last message of each room left",
    plant: () =>
      noting("readAll", note => {
        if (note.kind !== "readAll") return note;
        return { ...note, data: { ...note.data, marks: note.data.marks.map(one => ({ ...one, seq: one.seq - 1 })) } };
      }),
  },
  {
    name: "call-uncounted",
    what: "a message to everybody is nobody's mention",
    plant: () =>
      otherwise(
        ({ mentions }) => mentions?.includes(EVERYBODY) === true,
        entry => ({ ...entry, mentions: entry.mentions?.filter(user => user !== EVERYBODY) ?? [] }),
        1,
      ),
  },
  {
    name: "mode-forgotten",
    what: "now and then everybody posts in an announcement channel",
    plant: () => forgetting("mode"),
  },
  { name: "mute-unheard", what: "who is muted goes on talking", plant: muteUnheard },
  { name: "slow-mode-forgotten", what: "now and then nobody waits in slow mode", plant: () => forgetting("slowMode") },
  {
    name: "new-room-untold",
    what: "now and then who comes into a room is told that he has left it",
    plant() {
      const due = everyNth(RARELY);
      const isJoin = (data: string): boolean => data.includes('"change":"join"') && data.includes('"roomId"');
      wrapBus(bus => ({
        publish(packet) {
          if (packet.type !== "events") return bus.publish(packet);
          const events = packet.events.map(event =>
            event.kind === "user" && isJoin(event.data) && due()
              ? { ...event, data: event.data.replace('"change":"join"', '"change":"leave"') }
              : event,
          );
          bus.publish({ ...packet, events });
        },
      }));
    },
  },
];
