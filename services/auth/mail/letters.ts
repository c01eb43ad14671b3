import type { Mail } from "./mail";
import { page } from "./layout";
import { english } from "./texts.en";

/** What mails say, by kind: the values each needs. `link` and `cancel` are URLs. */
export interface Letters {
  verify: { username: string; link: string };
  /** Somebody registered with an address that has an account. */
  taken: { username: string; origin: string };
  reset: { username: string; link: string };
  usernames: { username: string; origin: string };
  "password-changed": { username: string; origin: string };
  "email-new": { username: string; link: string };
  "email-old": { username: string; email: string; cancel: string; link?: string };
  invitation: { inviter: string; link: string };
}

export type MailKind = keyof Letters;

/** A paragraph, or a link with what it does. */
export type Part = string | { link: string; label: string };

export interface Letter {
  subject: string;
  parts: Part[];
}

/** One language. */
export type Texts = { [K in MailKind]: (values: Letters[K]) => Letter };

export const LANGUAGES = { en: english } satisfies Record<string, Texts>;
export type Language = keyof typeof LANGUAGES;

export function letter<K extends MailKind>(language: Language, kind: K, to: string, values: Letters[K]): Mail {
  const texts: Texts = LANGUAGES[language];
  const { subject, parts } = texts[kind](values);
  return { to, subject, ...page(language, subject, parts) };
}
