import { newId } from "../../../services/core/ids";
import { Links, LINK_TTL } from "../../../services/files/links";
import { SECRET, TestClock } from "../../support/broker";

describe("links to files", () => {
  const clock = new TestClock();
  const links = new Links(SECRET, clock);
  const [file, user] = [newId(), newId()];
  const made = () => {
    const query = new URLSearchParams(links.sign(file, user));
    return { expires: query.get("expires") as string, signature: query.get("signature") as string };
  };

  it("name the user they were made for, for five minutes", () => {
    const { expires, signature } = made();
    expect(links.verify(file, expires, signature)).toBe(user);
    clock.advance((LINK_TTL - 1) * 1000);
    expect(links.verify(file, expires, signature)).toBe(user);
    clock.advance(1_000);
    expect(links.verify(file, expires, signature)).toBeNull();
  });

  it("work for one file, one user, one end and one installation", () => {
    const { expires, signature } = made();
    const [, mac = ""] = signature.split(".");
    expect(links.verify(newId(), expires, signature)).toBeNull();
    expect(links.verify(file, String(Number(expires) - 1), signature)).toBeNull();
    expect(links.verify(file, expires, `${newId()}.${mac}`)).toBeNull();
    expect(new Links(`${SECRET}x`, clock).verify(file, expires, signature)).toBeNull();
    for (const bad of [
      "",
      ".",
      user,
      `${user}.`,
      `${user}.x`,
      `${mac}`,
      `${user}.${mac}x`,
      `${user}.${"é".repeat(43)}`,
    ])
      expect(links.verify(file, expires, bad)).toBeNull();
    for (const bad of ["", "x", "-1", "1e99", " ", `${expires}.0`, `0${expires}`])
      expect(links.verify(file, bad, signature)).toBeNull();
  });

  it("cannot be made to last longer, even by who holds the key", () => {
    const early = new Links(SECRET, new TestClock(clock.now() + 3_600_000));
    const query = new URLSearchParams(early.sign(file, user));
    expect(links.verify(file, query.get("expires") as string, query.get("signature") as string)).toBeNull();
  });
});
