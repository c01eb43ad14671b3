/** Runs in a worker thread: the type that the first bytes of a file show, if any. */
export default async function detect(head: Uint8Array): Promise<string | null> {
  const { fileTypeFromBuffer } = await import("file-type");
  const type = await fileTypeFromBuffer(head);
  return type?.mime.split(";", 1)[0] ?? null;
}
