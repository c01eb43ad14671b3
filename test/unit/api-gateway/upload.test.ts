import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { openUpload } from "../../../services/api-gateway/upload";
import { codeOf } from "../../support/broker";

const PART = 'Content-Disposition: form-data; name="file"; filename="a"';
/** All of it there, and its connection kept. */
const body = (text: string): IncomingMessage =>
  Object.assign(Readable.from([Buffer.from(text)]), {
    headers: { "content-type": "multipart/form-data; boundary=x" },
    complete: true,
  }) as unknown as IncomingMessage;

describe("a multipart body", () => {
  it("that its parser never comes to an end with is refused in time (S34: files)", async () => {
    const endless = `--x\r\n${"\r\n--".repeat(16_000)}\r\n${PART}\r\n\r\nwords\r\n--x--`;
    expect(await codeOf(openUpload(body(endless), undefined, 1_000, 50))).toBe("BAD_REQUEST");
  });

  it("gives its file, however long that is read afterwards", async () => {
    jest.useFakeTimers({ doNotFake: ["nextTick", "queueMicrotask", "setImmediate", "clearImmediate"] });
    try {
      const { stream } = await openUpload(body(`--x\r\n${PART}\r\n\r\nwords\r\n--x--\r\n`), undefined, 1_000, 50);
      jest.advanceTimersByTime(100);
      let text = "";
      for await (const part of stream) text += String(part);
      expect(text).toBe("words");
    } finally {
      jest.useRealTimers();
    }
  });
});
