import { filterOf, matching, orderOf } from "../../../../mixins/mongo/query";
import type { Query } from "../../../../mixins/query";

const spec = { collection: "things" };

test.each(["$where", "$or", "a.$b", "a..b", "", ".", "__proto__", "a.__proto__.x", "_id.x", "_rev.x", "a\0"])(
  "%j is no field, in no part of a query",
  name => {
    for (const use of [() => filterOf({ [name]: 1 }, spec), () => matching("x", [name]), () => orderOf([name])])
      expect(use).toThrow(/not a field name/);
  },
);

test.each<[string, unknown]>([
  ["an unknown operator", { $where: "1" }],
  ["a pattern", { $regex: "." }],
  ["an operator inherited from a prototype", { constructor: 1 }],
  ["an object in place of a value", { $ne: { $gt: "" } }],
  ["a nested object", { a: { b: 1 } }],
  ["a list in place of a value", ["a"]],
  ["objects in a list", { $in: [{ $gt: "" }] }],
  ["undefined, which would drop the condition", undefined],
  ["a number that is none", Number.NaN],
  ["empty", {}],
  ["a date", new Date(0)],
  ["a regular expression", /./],
])("a condition that is %s is refused", (_name, condition) => {
  expect(() => filterOf({ field: condition } as Query, spec)).toThrow(TypeError);
});

test("a query that asks for values in all fields of a unique index says so, or the server could not use it", () => {
  const indexes = [{ name: "pair", fields: ["a", "b"], unique: true }];
  const value = { $type: ["string", "number", "bool"] };
  const pair = { a: value, b: value };
  const uses = (query: Query) => JSON.stringify(filterOf(query, { ...spec, indexes })).includes(JSON.stringify(pair));
  expect(uses({ a: 1, b: { $in: ["x", "y"] } })).toBe(true);
  expect(uses({ a: { $prefix: "x" }, b: { $gt: 1 }, c: null })).toBe(true);
  expect(uses({ a: 1 })).toBe(false);
  expect(uses({ a: 1, b: null })).toBe(false);
  expect(uses({ a: 1, b: { $in: ["x", null] } })).toBe(false);
  expect(uses({ a: 1, b: { $ne: "x" } })).toBe(false);
});

test("an order names each field once, and the id decides ties", () => {
  expect([...(orderOf("-a b,-b") as Map<string, number>)]).toEqual([
    ["a", -1],
    ["b", 1],
    ["_id", 1],
  ]);
  expect([...(orderOf(["-_id"]) as Map<string, number>)]).toEqual([["_id", -1]]);
});
