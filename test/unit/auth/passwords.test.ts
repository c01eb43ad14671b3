import { hashSync } from "bcryptjs";
import { Passwords } from "../../../services/auth/passwords";
import { codeOf } from "../../support/broker";

describe("passwords", () => {
  const passwords = new Passwords(10);
  afterAll(() => passwords.close());

  it("hashes with bcrypt at cost 10 and a salt of its own", async () => {
    const [one, two] = await Promise.all([passwords.hash("a password"), passwords.hash("a password")]);
    expect(one).toMatch(/^\$2[aby]\$10\$/);
    expect(one).not.toBe(two);
    expect(await passwords.verify("a password", one)).toBe(true);
    expect(await passwords.verify("A password", one)).toBe(false);
  });

  it("does not fit a longer password to a hash of its first 72 bytes, though bcrypt would (S11: REST)", async () => {
    const hash = hashSync("x".repeat(72), 4);
    expect(await passwords.verify("x".repeat(72), hash)).toBe(true);
    expect(await passwords.verify("x".repeat(73), hash)).toBe(false);
    expect(await passwords.verify(`${"x".repeat(72)}\0`, hash)).toBe(false);
    expect(await codeOf(passwords.hash("x".repeat(73)))).toBe("INVALID");
    expect(await codeOf(passwords.hash("a\0b"))).toBe("INVALID");
  });

  it("compares for unknown users too, and never finds that it fits (S10: REST)", async () => {
    const before = passwords.comparisons;
    expect(await passwords.verify("anything", null)).toBe(false);
    expect(passwords.comparisons).toBe(before + 1);
  });

  it("leaves the loop free while it hashes (S14: inside)", async () => {
    let turns = 0;
    let done = false;
    const spin = (): void => {
      turns++;
      if (!done) setImmediate(spin);
    };
    spin();
    await passwords.hash("a password");
    done = true;
    expect(turns).toBeGreaterThan(10);
  });

  it("refuses as unavailable what would wait too long, and serves the rest (S14: inside)", async () => {
    const small = new Passwords(10, { waiting: 2, patience: 10_000, timeout: 10_000 });
    try {
      const answers = await Promise.all(Array.from({ length: 20 }, () => codeOf(small.hash("a password"))));
      const served = answers.filter(answer => answer.startsWith("resolved"));
      expect(served).toHaveLength(2);
      expect(answers.filter(answer => answer === "UNAVAILABLE")).toHaveLength(18);
      expect(await small.hash("a password")).toMatch(/^\$2/);
    } finally {
      await small.close();
    }
  });

  it("lets as many wait at once as are done in most of the time that their callers wait", async () => {
    const slow = new Passwords(10);
    try {
      await slow.hash("a password");
      const took: number[] = [];
      for (let n = 0; n < 16; n++) {
        const began = performance.now();
        await slow.hash("a password");
        took.push(performance.now() - began);
      }
      // What it took of late is between these, whatever else the machine did.
      const [least, most] = [Math.min(...took), Math.max(...took)];
      let refused = 0;
      for (let n = 0; n < 60; n++) void slow.hash("a password").catch(() => refused++);
      await new Promise(setImmediate);
      expect(60 - refused).toBeGreaterThanOrEqual(Math.min(60, Math.floor(4_200 / most)));
      expect((60 - refused - 1) * least).toBeLessThan(9_000);
    } finally {
      await slow.close();
    }
  });

  it("refuses at once who would have to wait for longer than the others let it, as long as they take of late", async () => {
    const slow = new Passwords(10, { waiting: 64, patience: 1, timeout: 10_000 });
    try {
      await slow.hash("a password");
      const answers = await Promise.all(Array.from({ length: 10 }, () => codeOf(slow.hash("a password"))));
      expect(answers.filter(answer => answer.startsWith("resolved"))).toHaveLength(1);
      expect(answers.filter(answer => answer === "UNAVAILABLE")).toHaveLength(9);
      expect(await slow.hash("a password")).toMatch(/^\$2/);
    } finally {
      await slow.close();
    }
  });
});
