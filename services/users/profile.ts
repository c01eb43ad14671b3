import type { Identity, PresenceStatus, PublicUser } from "../core/model";
import { isLine, line, shownName } from "../core/rules";
import type { StoredUser } from "./user";

/** A user as `viewer` may see him; built field by field, so that nothing stored slips out. */
export function toPublic(user: StoredUser, viewer: Identity, status: PresenceStatus): PublicUser {
  const seesEmail = viewer.id === user.id || viewer.permissions.includes("users.email");
  return {
    id: user.id,
    username: user.username,
    ...(user.displayName !== undefined && { displayName: user.displayName }),
    ...(user.avatarUrl !== undefined && { avatarUrl: user.avatarUrl }),
    ...(user.bio !== undefined && { bio: user.bio }),
    ...(user.pronouns !== undefined && { pronouns: user.pronouns }),
    ...(seesEmail && user.email !== undefined && { email: user.email }),
    ...(user.bot && { bot: true as const }),
    roles: [...user.roles],
    status,
    createdAt: user.createdAt,
    ...(user.deactivatedAt !== undefined &&
      viewer.permissions.includes("users.manage") && { deactivated: true as const }),
  };
}

const FILE = /^\/api\/files\/([0-9a-f-]{36})$/;

/** The id of the file that a picture is, if it is one of ours. */
export const fileOf = (avatarUrl: string | null | undefined): string | undefined => FILE.exec(avatarUrl ?? "")?.[1];

type Errors = { type: string; message?: string }[];

/** Parameter rule: 1 to 64 characters on one line, spaces around them cut; null clears it. */
const displayNameRule = shownName({ optional: true, nullable: true, min: 1, max: 64 });

/** Parameter rule: up to 500 characters that may have several lines; null clears it. */
const bioRule = {
  type: "string",
  trim: true,
  optional: true,
  nullable: true,
  min: 1,
  max: 500,
  custom: (value: unknown, errors: Errors): unknown => {
    if (typeof value === "string" && !value.split("\n").every(isLine))
      errors.push({ type: "bio", message: "Give a text without control characters." });
    return value;
  },
} as const;

/**
 * Parameter rule: a picture on the web or a file of ours; null clears it. Browsers get nothing else to follow. Whether the
 * file is one's own image only files know.
 */
const avatarUrlRule = {
  type: "string",
  optional: true,
  nullable: true,
  max: 500,
  custom: (value: unknown, errors: Errors): unknown => {
    if (typeof value === "string" && fileOf(value) === undefined && !isWebAddress(value))
      errors.push({ type: "avatarUrl", message: "Give an https address, or the url of a file." });
    return value;
  },
} as const;

/** Parameter rules of what people say of themselves. */
export const profileRules = {
  displayName: displayNameRule,
  avatarUrl: avatarUrlRule,
  bio: bioRule,
  pronouns: line({ optional: true, nullable: true, min: 1, max: 40 }),
} as const;

function isWebAddress(text: string): boolean {
  if (!/^https:\/\/[^\s"'<>\\^`{|}]+$/.test(text) || !isLine(text) || !URL.canParse(text)) return false;
  const { username, password, hostname } = new URL(text);
  return username === "" && password === "" && hostname !== "";
}
