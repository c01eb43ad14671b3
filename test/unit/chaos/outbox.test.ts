import { attempt, Outbox } from "../../chaos/outbox";
import { hashOf } from "../../chaos/shown";

describe("what a client has to say", () => {
  test("is open until it is acknowledged, under one clientId and with one text over all attempts", () => {
    const outbox = new Outbox("c1");
    const letter = outbox.write("room", "hello");
    expect(outbox.due(0)).toEqual([letter]);
    const first = attempt(letter);
    letter.doubtful = true;
    expect(attempt(letter)).toEqual(first);
    expect(first.asked.hash).toBe(hashOf(first.frame.text));
    outbox.acknowledged(letter);
    expect(outbox.size).toBe(0);
    expect(outbox.old).toEqual([letter]);
  });

  test("is repeated oldest first, not while an attempt is under way and not before it is due", () => {
    const outbox = new Outbox("c1");
    const [one, two, three] = ["one", "two", "three"].map(text => outbox.write("room", text));
    two!.flying = true;
    three!.due = 500;
    expect(outbox.due(499)).toEqual([one]);
    expect(outbox.due(500)).toEqual([one, three]);
    two!.flying = false;
    outbox.hurry();
    expect(outbox.due(0)).toEqual([one, two, three]);
  });

  test("has a clientId of its own for each, and another text for each", () => {
    const letters = [new Outbox("c1"), new Outbox("c2")].flatMap(outbox => [1, 2].map(() => outbox.write("r", "same")));
    expect(new Set(letters.map(({ clientId }) => clientId)).size).toBe(4);
    expect(new Set(letters.map(({ hash }) => hash)).size).toBe(4);
  });
});
