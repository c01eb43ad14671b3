import type { History, MessageVersion, Metadata, RoomKind, RoomMode } from "../../services/core/model";
import type { RoomRole } from "../../services/core/permissions";

/** What an import reads, wherever it comes from. Keys are ids there, and the same whenever it is read again. */
export interface Source {
  /** Stands in the name of what collides with something here. */
  readonly origin: "rookery" | "slack";
  /** Whoever a key names; somebody unknown gets a name made of it. */
  person(key: string): SourcePerson;
  rooms(): AsyncIterable<SourceRoom>;
  close(): Promise<void>;
}

export interface SourcePerson {
  key: string;
  /** As a user name may be here. */
  username: string;
  email?: string;
  displayName?: string;
  /** His id here, should this be where it came from. */
  id?: string;
}

export interface SourceMember {
  person: string;
  role: RoomRole;
  state: "member" | "left" | "banned";
  joinedAt?: string;
  /** When a ban ends by itself, and when a mute does; null: when somebody ends it. */
  bannedUntil?: string;
  mutedUntil?: string | null;
}

export interface SourceRoom {
  key: string;
  kind: RoomKind;
  name: string | null;
  isPrivate: boolean;
  topic?: string;
  /** Settings that are not those of any room. */
  mode?: RoomMode;
  slowMode?: number;
  history?: History;
  archivedAt?: string;
  retentionDays?: number;
  legalHold?: boolean;
  createdAt: string;
  createdBy?: string;
  members: SourceMember[];
  /** In the order of the room there; to be gone through once. */
  messages(): AsyncIterable<SourceItem>;
}

/** A message, or why something that stands in its place is none. */
export type SourceItem = { message: SourceMessage; skipped?: undefined } | { message?: undefined; skipped: string };

export interface SourceMessage {
  /** Unique over all rooms; becomes the clientId. */
  key: string;
  sender: string;
  text: string;
  createdAt: string;
  editedAt?: string;
  deletedAt?: string;
  /** Key of the message that it answers. */
  answers?: string;
  /** Key of the message that its thread began with. */
  thread?: string;
  mentions?: string[];
  mentionsAll?: true;
  /** By whom: its sender, where nobody knows. */
  pinned?: { by?: string; at: string };
  /** What it said before, oldest first. */
  versions?: MessageVersion[];
  metadata?: Metadata;
  reactions: { emoji: string; people: string[] }[];
  /** Their bytes are not in what is read. */
  files: { name: string; url?: string }[];
  /** What of it could not be kept, by reason. */
  lost?: Record<string, number>;
}
