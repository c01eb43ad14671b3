import { AUDIENCES, NOTIFICATION_LEVELS } from "../core/model";
import { RFC_3339 } from "../core/rules";

type Errors = { type: string; message?: string }[];

/** Parameter rules of preferences. What is left out is not changed, null clears. */

const audience = { type: "enum", values: [...AUDIENCES], optional: true } as const;
const level = { type: "enum", values: [...NOTIFICATION_LEVELS], optional: true } as const;
const timeOfDay = { type: "string", pattern: /^([01]\d|2[0-3]):[0-5]\d$/ } as const;

/** A text that `read` makes something of, kept as that; where it throws, the text is refused. */
const readAs = (max: number, message: string, read: (text: string) => string) =>
  ({
    type: "string",
    min: 1,
    max,
    optional: true,
    nullable: true,
    custom: (value: unknown, errors: Errors): unknown => {
      if (typeof value !== "string") return value;
      try {
        return read(value);
      } catch {
        errors.push({ type: "unreadable", message });
        return value;
      }
    },
  }) as const;

const language = readAs(64, "Give a language by its BCP 47 tag.", text => Intl.getCanonicalLocales(text)[0] ?? text);

const timeZone = readAs(64, "Give a time zone of the IANA database.", text => {
  // Offsets are no time zones: they know nothing of summer.
  if (!/^[A-Za-z]/.test(text)) throw new RangeError("no name");
  const { timeZone: found } = new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions();
  // A zone has several names, of which it is found under one: another stays if it is written as names are.
  const another = found.toLowerCase() !== text.toLowerCase() && /^[A-Z][a-z]+(?:[/_][A-Z][a-z]+)*$/.test(text);
  return another ? text : found;
});

const time = readAs(40, "Give a time as RFC 3339 has it.", text => {
  if (!RFC_3339.test(text)) throw new RangeError("no time");
  return new Date(text).toISOString();
});

export const preferenceRules = {
  language,
  timeZone,
  notifications: {
    type: "object",
    optional: true,
    props: {
      default: level,
      rooms: {
        type: "record",
        optional: true,
        key: "string",
        value: { type: "object", nullable: true, props: { level: { ...level, nullable: true }, mutedUntil: time } },
      },
      doNotDisturb: {
        type: "object",
        optional: true,
        nullable: true,
        props: { from: timeOfDay, to: timeOfDay },
      },
      email: "boolean|optional",
      push: "boolean|optional",
    },
  },
  privacy: {
    type: "object",
    optional: true,
    props: { find: audience, write: audience, presence: audience, sendReadReceipts: "boolean|optional" },
  },
  ui: { type: "object", strict: false, optional: true, nullable: true },
} as const;
