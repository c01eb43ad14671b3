import { asyncApiDocument } from "../../../services/api-gateway/asyncapi/document";
import { html, prose } from "../../../services/api-gateway/asyncapi/markup";
import { asyncApiPage } from "../../../services/api-gateway/asyncapi/page";
import { LIMITS } from "../../../services/core/limits";

const textOf = (document: unknown): string => JSON.stringify(document);

describe("the AsyncAPI document", () => {
  it("tells the configured limits, not the defaults", () => {
    const own = asyncApiDocument({ ...LIMITS, text: 17, attachments: 3 });
    expect(own["x-limits"]).toMatchObject({ text: 17, attachments: 3 });
    expect(textOf(own["channels"])).toContain('"maxLength":17');
    expect(textOf(own["channels"])).toContain('"maxItems":3');
    expect(asyncApiPage(own)).toContain("up to 17");
  });

  it("has no schema that nothing refers to", () => {
    const { components, ...rest } = asyncApiDocument(LIMITS) as { components: { schemas: Record<string, unknown> } };
    const names = Object.keys(components.schemas);
    const text = textOf([rest, components.schemas]);
    expect(names).toEqual(expect.arrayContaining(["Message", "RoomState"]));
    expect(names).not.toContain("Register");
    expect(names.filter(name => !text.includes(`"#/components/schemas/${name}"`))).toEqual([]);
  });

  it("has nothing beside a reference, which readers of draft 7 would pass over", () => {
    const beside = (value: unknown): string[] => {
      if (typeof value !== "object" || value === null) return [];
      const own = "$ref" in value && Object.keys(value).length > 1 ? [textOf(value)] : [];
      return [...own, ...Object.values(value).flatMap(beside)];
    };
    expect(beside(asyncApiDocument(LIMITS))).toEqual([]);
  });
});

describe("the page of the sockets", () => {
  it("escapes whatever comes into it as text", () => {
    expect(html`<b title="${`"'`}">${"<script>&"}</b>`.text).toBe('<b title="&quot;&#39;">&lt;script&gt;&amp;</b>');
    expect(prose("a `<b>` c").text).toBe("a <code>&lt;b&gt;</code> c");
  });
});
