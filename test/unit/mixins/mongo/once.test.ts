import { upserted } from "../../../../mixins/mongo/once";
import { DuplicateKeyError } from "../../../../mixins/storage-errors";

describe("a group of upserts", () => {
  /** Others are faster with so many of its documents, one each time. */
  const group = (faster: number) => {
    let tries = 0;
    return {
      write: async () => {
        if (++tries <= faster) throw new DuplicateKeyError("id");
      },
      tries: () => tries,
    };
  };

  it("is tried again for each document that another was faster with", async () => {
    const { write, tries } = group(4);
    await upserted(write);
    expect(tries()).toBe(5);
  });

  it("ends as unknown where others always are, and never as an error that nobody knows", async () => {
    const { write, tries } = group(Infinity);
    await expect(upserted(write)).rejects.toMatchObject({ outcome: "unknown", type: "UNKNOWN_OUTCOME" });
    expect(tries()).toBe(10);
  });

  it("passes every other error on at once", async () => {
    await expect(upserted(() => Promise.reject(new TypeError("else")))).rejects.toThrow("else");
  });
});
