import { isSeen, username } from "../../../services/core/rules";

describe("a user name", () => {
  it.each(["erased-0123456789ab", "Erased-x", "system", "NULL", "undefined", "everyone", "channel", "all", "here"])(
    "is not %s, which means nobody or something else",
    name => expect(username.pattern.test(name)).toBe(false),
  );
  it.each(["erased", "system1", "channels", "nullable", "admin", "a.b-c_d"])("may be %s", name =>
    expect(username.pattern.test(name)).toBe(true),
  );
});

describe("a name that is shown", () => {
  it.each(["a", "\u00e9", "\u{1F600}", "\u{1F1E9}\u{1F1EA}", "7", "\u2660", "e\u0301", "\u05D0", "\u200Ba"])(
    "is seen: %j",
    name => expect(isSeen(name)).toBe(true),
  );
  it.each(["\u200B", "\u0301\u0302", "\u2060\u200D", "\u3164", "\u2800", "\u00AD", "\uFE0F", "\u{E0020}"])(
    "is not seen: %j",
    name => expect(isSeen(name)).toBe(false),
  );
});
