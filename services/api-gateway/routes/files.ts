import type { Route } from "./route";

export const files: Route[] = [
  {
    method: "POST",
    path: "/files",
    to: "files.save",
    summary: "Upload a file: a multipart part `file`, or the bytes as body",
    tag: "files",
    auth: "user",
    status: 201,
    query: ["name"],
    answer: "File",
    bytes: "upload",
    location: ({ url }) => url,
  },
  {
    method: "GET",
    path: "/files/{id}",
    to: "files.open",
    summary: "The bytes of a file, with a token or a signed link",
    tag: "files",
    auth: "optional",
    status: 200,
    query: ["expires", "signature"],
    bytes: "download",
  },
  {
    method: "GET",
    path: "/files/{id}/link",
    to: "files.link",
    summary: "A link that opens the file for a short time without a token",
    tag: "files",
    auth: "user",
    status: 200,
    answer: "FileLink",
  },
];
