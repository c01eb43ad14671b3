import { fieldExpression, matching, orderBy, where, type Query } from "../../../../mixins/sqlite/query";

test("values become parameters, whatever they look like", () => {
  const evil = "'; DROP TABLE rooms; --";
  const query: Query = {
    name: evil,
    kind: { $in: [evil, null] },
    other: { $ne: evil, $gt: evil, $lt: evil, $prefix: evil },
  };
  const { sql, params } = where(query);
  expect(sql).not.toContain("DROP");
  expect(sql.split("?")).toHaveLength(params.length + 1);
});

test.each([
  "a'b",
  'a"b',
  "a b",
  "",
  ".",
  "a.",
  ".a",
  "a..b",
  "$where",
  "__proto__",
  "__proto__.x",
  "a.__proto__.x",
  "a[0]",
  "a;",
  "a\n",
  "_id.x",
  "_rev.x",
])("%j is no field, in no part of a query", name => {
  for (const use of [
    () => where({ [name]: 1 } as Query),
    () => matching("x", [name]),
    () => orderBy([name]),
    () => fieldExpression(name),
  ])
    expect(use).toThrow(/not a field name/);
});

test.each<[string, unknown]>([
  ["empty, which would hold for everything", {}],
  ["an unknown operator", { $where: "1" }],
  ["an operator inherited from a prototype", { constructor: 1 }],
  ["an object in place of a value", { $ne: { $gt: "" } }],
  ["a nested object", { a: { b: 1 } }],
  ["a list in place of a value", ["a"]],
  ["undefined, which would drop the condition", undefined],
  ["a number that is none", Number.NaN],
  ["$in without a list", { $in: "abc" }],
  ["objects in a list", { $in: [{}] }],
  ["$gt of null", { $gt: null }],
  ["a prefix that is no text", { $prefix: 1 }],
])("a condition that is %s is refused", (_name, condition) => {
  expect(() => where({ field: condition } as Query)).toThrow(TypeError);
});

test("an own key __proto__, as JSON.parse makes it, is refused and pollutes nothing", () => {
  expect(() => where(JSON.parse('{"__proto__": {"polluted": true}}') as Query)).toThrow(/not a field name/);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});
