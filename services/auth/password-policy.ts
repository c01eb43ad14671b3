import { invalidField } from "../core/errors";
import { COMMON_PASSWORDS } from "./common-passwords";

/**
 * Refuses with INVALID what is guessed first: passwords that many people have, and one's own name or address. How long one
 * must be stands in the parameters; what it is made of is everybody's own choice.
 */
export function refuseGuessable(password: string, { username, email }: { username?: string; email?: string }): void {
  const key = password.toLowerCase();
  if (COMMON_PASSWORDS.has(key)) throw invalidField("password", "Too many people have this password.");
  const own = [username, email, email?.split("@")[0]].map(name => name?.toLowerCase());
  if (own.includes(key)) throw invalidField("password", "It must not be your user name or e-mail.");
}
