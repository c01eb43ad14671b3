import type { UserRecord } from "../../core/contract";
import type { EmailChanges } from "../email-changes";
import type { Invitations } from "../invitations";
import type { LinkKind, Links } from "../links";
import { letter, type Language } from "./letters";
import type { Mail } from "./mail";
import type { MailRequest } from "./outbox";

export interface PostmanParts {
  links: Links;
  emailChanges: EmailChanges;
  invitations: Invitations;
  users: {
    byLogin(login: string): Promise<UserRecord | null>;
    record(id: string): Promise<UserRecord | null>;
  };
  /** Of the installation, without a slash at its end. */
  origin(): string;
}

type Addressee = UserRecord & { email: string };

/** Writes mails: finds who gets them, and makes the links in them. */
export class Postman {
  /** Nobody has chosen one yet. */
  private readonly language: Language = "en";

  constructor(private readonly parts: PostmanParts) {}

  /** Null if there is nobody to get it, or nothing to say any more. */
  async write(request: MailRequest): Promise<Mail | null> {
    const { kind, id, to } = request;
    if (kind === "invitation") return this.invitation(request);
    const user = await this.addressee(request);
    if (!user) return null;
    const { username, email } = user;
    switch (kind) {
      case "verify":
        return this.verification(user, id);
      case "reset":
        return this.withLink(user, kind, id, "reset");
      case "usernames":
        // The link of this mail is no secret; it is issued so that nobody gets more of them than of others.
        if (!(await this.parts.links.issue("usernames", user, id))) return null;
        return letter(this.language, kind, email, { username, origin: this.parts.origin() });
      case "password-changed":
        return letter(this.language, kind, to, { username, origin: this.parts.origin() });
      case "email-new":
      case "email-old":
        return this.emailChange(user, request, kind);
    }
  }

  /** Mail goes to the address as it is stored, never as somebody has typed it: two may look alike. */
  private async addressee({ user: id, to }: MailRequest): Promise<Addressee | null> {
    const { users } = this.parts;
    const user = id !== undefined ? await users.record(id) : to.includes("@") ? await users.byLogin(to) : null;
    return user?.email !== undefined && !user.deactivated ? { ...user, email: user.email } : null;
  }

  /** Who has the address by now is told of others who would have it. */
  private async verification(user: Addressee, mail: string): Promise<Mail | null> {
    if (!user.unverified) return null;
    const owner = await this.parts.users.byLogin(user.email);
    if (owner?.id === user.id) return this.withLink(user, "verify", mail, "verify");
    if (owner?.email === undefined || owner.deactivated) return null;
    const { email, username } = owner;
    // As with forgotten names: nobody gets more of them than of others.
    if (!(await this.parts.links.issue("usernames", { id: owner.id, email }, mail))) return null;
    return letter(this.language, "taken", email, { username, origin: this.parts.origin() });
  }

  private async withLink(
    user: Addressee,
    kind: "verify" | "reset",
    mail: string,
    path: LinkKind,
  ): Promise<Mail | null> {
    const token = await this.parts.links.issue(path, user, mail);
    if (token === null) return null;
    return letter(this.language, kind, user.email, { username: user.username, link: this.link(path, token) });
  }

  private async emailChange(
    { id, username }: Addressee,
    { to, about = "" }: MailRequest,
    kind: "email-new" | "email-old",
  ): Promise<Mail | null> {
    const { emailChanges } = this.parts;
    const change = await emailChanges.open(id, about);
    if (!change) return null;
    const confirm = (which: "fresh" | "old"): string => this.link("email", emailChanges.token(which, change));
    if (kind === "email-new") return letter(this.language, kind, to, { username, link: confirm("fresh") });
    return letter(this.language, kind, to, {
      username,
      email: change.email,
      cancel: this.link("email-cancel", emailChanges.token("cancel", change)),
      ...(change.old !== undefined && { link: confirm("old") }),
    });
  }

  private async invitation({ to, about = "" }: MailRequest): Promise<Mail | null> {
    const { invitations, users } = this.parts;
    const open = await invitations.open(users, about);
    if (!open) return null;
    const link = this.link("invitation", invitations.codeOf(open.invitation));
    return letter(this.language, "invitation", to, { inviter: open.inviter.username, link });
  }

  /** Secrets stand behind the #: no server and no log sees them. */
  private link(what: string, token: string): string {
    return `${this.parts.origin()}/account.html#${what}/${token}`;
  }
}
