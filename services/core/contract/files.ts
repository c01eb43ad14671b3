import type { Attachment, FileRecord } from "../model";

export interface OpenFile {
  id: string;
  mimeType: string;
  size: number;
  name: string;
  /** May be shown in the page; everything else is offered as a download. */
  inline: boolean;
  /** Where the bytes stand in the blob store. */
  key: string;
}

/** What moleculer-web tells beside the stream of an upload. */
export interface UploadFields {
  name?: string;
  $filename?: string;
  $mimetype?: string;
  $fieldname?: string;
  $params?: Record<string, unknown>;
}

export interface FilesActions {
  "files.save": { params: UploadFields; returns: FileRecord };
  "files.open": { params: { id: string; expires?: string; signature?: string }; returns: NodeJS.ReadableStream };
  "files.link": { params: { id: string }; returns: { url: string; expiresIn: number } };
  /** Links for a user, without a look at whether he may open them: that is looked at when he does. */
  "files.sign": { params: { user: string; ids: string[] }; returns: Record<string, string> };
  /** Records of a user's uploads, by id above `after`; at most 500. */
  "files.exportOwn": {
    params: { user: string; after: string; limit: number };
    returns: (FileRecord & { createdAt: string })[];
  };
  /** Gives up all files of a user: those that no message shows are removed, a minute later. */
  "files.eraseOwn": { params: { user: string }; returns: null };
  /** Checks that the files are the owner's, lets readers of the room see them and gives them as attachments. INVALID if not. */
  "files.attach": { params: { owner: string; room: string; ids: string[] }; returns: Attachment[] };
  /** Whether the file is a raster image of this owner, which may be his picture; then it is kept until he has it. */
  "files.picture": { params: { owner: string; id: string }; returns: boolean };
  /** Messages that showed these files, at most 200, are gone: those that no other shows are removed, a minute later. */
  "files.release": { params: { ids: string[] }; returns: null };
}
