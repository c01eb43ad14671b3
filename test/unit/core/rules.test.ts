import { email, isSeen, username } from "../../../services/core/rules";

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

describe("an e-mail", () => {
  const wrong = (text: string): boolean => {
    const errors: { type: string }[] = [];
    email.custom(text, errors);
    return errors.length > 0;
  };
  it.each(["a@b.c", "first.last+tag@mail.example.org", "o'neil@example.org", "\u00fc@b\u00fccher.example"])(
    "may be %s",
    text => expect(wrong(text)).toBe(false),
  );
  it.each([
    ...["a@b", "@b.c", "a@b.c d", "a@b@c.d", "a@b.c,d@e.f", "<script>@x.y", '"a"@b.c', "a@[127.0.0.1]"],
    ...["a\u0000b@c.d", "\u0001@c.d", "a@b.c\u202e", "a\u200bb@c.d", "a@b.c\r\nBcc: d@e.f"],
  ])("is not %j", text => expect(wrong(text)).toBe(true));
});
