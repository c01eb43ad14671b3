import { mergeParams, parseQuery, queryOf } from "../../../services/api-gateway/params";
import { ROUTES } from "../../../services/api-gateway/routes";
import type { Route } from "../../../services/api-gateway/routes/route";
import { codeOfThrown } from "./code";

const history = ROUTES.find(({ to }) => to === "messages.history") as Route;

describe("queries", () => {
  it("gives plain text values by name", () => {
    expect(queryOf(history, parseQuery("page=2&limit=%31%30"))).toEqual({ page: "2", limit: "10" });
  });

  it.each(["page[$ne]=1", "page[]=1", "page.x=1", "__proto__=1", "%24where=1", "id=7"])(
    "refuses %s as unknown",
    query => {
      expect(codeOfThrown(() => queryOf(history, parseQuery(query)))).toBe("INVALID");
    },
  );

  it("refuses a repeated parameter", () => {
    expect(codeOfThrown(() => queryOf(history, parseQuery("page=1&page=2")))).toBe("INVALID");
  });

  it.each(["page=%", "%zz=1", "page=%c3%28"])("refuses the broken encoding %s", query => {
    expect(codeOfThrown(() => parseQuery(query))).toBe("BAD_REQUEST");
  });
});

describe("mergeParams", () => {
  it("puts path, query and body together", () => {
    expect(mergeParams({ id: "a" }, { page: "1" }, { text: "x" })).toEqual({ id: "a", page: "1", text: "x" });
  });

  it("refuses a body that names a parameter of the path", () => {
    expect(codeOfThrown(() => mergeParams({ id: "a" }, {}, { id: "a" }))).toBe("INVALID");
  });
});
