import { BUGS } from "../../planted/bugs";
import { everyNth, wrapPublish, wrapSockets, wrapStore } from "../../planted/seams";
import { CHAT } from "./chat";
import { leaving, otherwise, RARELY, type Defect } from "./defect";

const END = "\x1e";

const OWN: readonly Defect[] = [
  {
    name: "edit-lost-on-one-wire",
    what: "now and then clients of SignalR are not told of an edit",
    plant() {
      const due = everyNth(RARELY);
      const isEdit = (text: string): boolean => text.includes('"MessageUpdated"');
      wrapPublish(publish => (topic, text) => {
        const left = isEdit(text)
          ? text
              .split(END)
              .filter(one => !isEdit(one) || !due())
              .join(END)
          : text;
        if (left !== "") publish(topic, left);
      });
    },
  },
  {
    name: "reaction-overcounted",
    what: "a reaction that is taken away is sometimes still counted",
    plant: () =>
      otherwise(
        ({ change }) => change?.reaction?.on === false && change.data.includes('"reactions"'),
        entry =>
          leaving(entry, message => ({
            ...message,
            reactions: (message.reactions ?? []).map(one => ({ ...one, count: one.count + 1 })),
          })),
      ),
  },
  {
    name: "deleted-stays-unread",
    what: "now and then a message that is deleted still counts as unread",
    plant: () =>
      otherwise(
        ({ kind }) => kind === "delete",
        entry => {
          const { deleted: _, ...change } = entry.change ?? { offset: 0, data: "" };
          return { ...entry, change };
        },
      ),
  },
  {
    name: "old-text-replayed",
    what: "who comes back is told of an edit with the text from before it",
    plant() {
      const due = everyNth(RARELY);
      wrapSockets(socket => {
        const send = socket.send.bind(socket);
        const isEdit = (text: string): boolean => text.startsWith('{"t":"event"') && text.includes('"kind":"edit"');
        const older = (text: string): string => text.replace(/"text":"edited \d+"/, '"text":"as it was"');
        return {
          send(bytes) {
            const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("utf8");
            if (!text.includes('"kind":"edit"')) return send(bytes);
            send(
              text
                .split("\n")
                .map(line => (isEdit(line) && due() ? older(line) : line))
                .join("\n"),
            );
          },
        };
      });
    },
  },
  {
    name: "note-kept-from-second-device",
    what: "of the devices of one person only the first that came is told of his own marks while it happens",
    plant() {
      const first = new Map<string, object>();
      wrapSockets(socket => {
        const subscribe = socket.subscribe.bind(socket);
        return {
          subscribe(topic) {
            const { user } = (socket.data ?? {}) as { user?: string };
            if (topic !== user) return subscribe(topic);
            const known = first.get(topic) as { closed?: boolean } | undefined;
            if (known && !known.closed && known !== socket) return;
            first.set(topic, socket);
            subscribe(topic);
          },
        };
      });
    },
  },
  {
    name: "role-not-told",
    what: "an entry says another role than the one that was given",
    plant: () =>
      otherwise(
        ({ kind, data }) => kind === "member" && data !== null && data.includes('"change":"role"'),
        entry => ({ ...entry, data: entry.data?.replace('"moderator"', '"member"') ?? null }),
      ),
  },
  {
    name: "page-off-by-one",
    what: "a window of history that begins after a message leaves out the next one, if there are more",
    plant: () =>
      wrapStore(store => ({
        async window(room, query) {
          const rows = await store.window(room, query);
          return query.after !== undefined && query.after > 0 && rows.length > 2 ? rows.slice(1) : rows;
        },
      })),
  },
];

/** Its own, and those by which the judge is tried. */
export const DEFECTS: readonly Defect[] = [...OWN, ...CHAT, ...BUGS];
