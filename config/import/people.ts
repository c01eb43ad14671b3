import { hasCode } from "../../services/core/errors";
import { isId } from "../../services/core/ids";
import { Mistake } from "../backup/mistake";
import type { Installation } from "./installation";
import { idOf, numberedUsername } from "./names";
import type { SourcePerson } from "./source";

/** How somebody of the source is who he is here. */
export type Found = "id" | "email" | "username" | "made" | "made before";

export interface Resolved {
  id: string;
  username: string;
  found: Found;
}

/** Names that are given out only by those who run the place. */
const RESERVED = new Set(["admin", "all", "here", "channel", "everyone"]);
/** Names tried for one account. */
const TRIES = 50;

/**
 * Who somebody of the source is here. Made accounts have no password, so nobody can sign in to them, and an address that
 * nobody can have, so that the person himself can still register. Their ids follow from the source: they are made once.
 */
export class People {
  private readonly known = new Map<string, Resolved>();

  constructor(
    private readonly origin: string,
    private readonly here: Installation | null,
    private readonly options: { match: boolean; dryRun: boolean },
  ) {}

  /** Everybody asked for so far, in that order. */
  all(): [SourcePerson, Resolved][] {
    return [...this.known].map(([key, resolved]) => [this.sources.get(key) as SourcePerson, resolved]);
  }

  private readonly sources = new Map<string, SourcePerson>();

  async of(person: SourcePerson): Promise<Resolved> {
    const known = this.known.get(person.key);
    if (known) return known;
    const id = idOf(`person ${this.origin} ${person.key}`);
    const resolved = (await this.found(person, id)) ?? (await this.made(person, id));
    this.sources.set(person.key, person);
    this.known.set(person.key, resolved);
    return resolved;
  }

  /** Who was made by an earlier run stays who he is, even if somebody could be matched by now. */
  private async found(person: SourcePerson, id: string): Promise<Resolved | null> {
    const { here } = this;
    if (!here) return null;
    const before = await here.ask("users.record", { id });
    if (before) return { id, username: before.username, found: "made before" };
    if (person.id !== undefined && isId(person.id)) {
      const same = await here.ask("users.record", { id: person.id });
      if (same?.username === person.username) return { id: same.id, username: same.username, found: "id" };
    }
    if (!this.options.match) return null;
    const byEmail = person.email?.includes("@") ? await here.ask("users.byLogin", { login: person.email }) : null;
    if (byEmail) return { id: byEmail.id, username: byEmail.username, found: "email" };
    const byName = await here.ask("users.byLogin", { login: person.username });
    return byName && { id: byName.id, username: byName.username, found: "username" };
  }

  private async made({ username, displayName }: SourcePerson, id: string): Promise<Resolved> {
    if (this.options.dryRun || !this.here) return { id, username, found: "made" };
    const email = `${id}@import.invalid`;
    for (let n = RESERVED.has(username.toLowerCase()) ? 2 : 1; n <= TRIES; n++) {
      const name = numberedUsername(username, n);
      try {
        await this.here.ask("users.create", { id, username: name, email, ...(displayName && { displayName }) });
        return { id, username: name, found: "made" };
      } catch (error) {
        if (!hasCode(error, "CONFLICT")) throw error;
      }
    }
    throw new Mistake(`there is no free user name for ${username}, or its account was made before and deleted since`);
  }
}
