import { namesMentioned } from "../../../services/messages/mentions";

describe("names in a text", () => {
  test.each([
    ["hello @Bob", ["bob"]],
    ["@bob, @ann; @bob!", ["bob", "ann"]],
    ["(@bob) and [@a.b-c_9]", ["bob", "a.b-c_9"]],
    // Both readings: only one of them can be somebody.
    ["thanks @bob.", ["bob.", "bob"]],
    ["mail bob@example.org", []],
    ["@bo", []],
    ["@all here", ["all"]],
    [`@${"a".repeat(40)}`, []],
    [`@${"a".repeat(32)}`, ["a".repeat(32)]],
    ["@bobé and é@bob and ы@bob", []],
    ["你好@bob中 @ann님", ["bob", "ann"]],
  ])("%s", (text, names) => {
    expect(namesMentioned(text)).toEqual(names);
  });

  test("at most fifty", () => {
    const text = Array.from({ length: 60 }, (_, n) => `@user${n}`).join(" ");
    expect(namesMentioned(text)).toHaveLength(50);
  });
});
