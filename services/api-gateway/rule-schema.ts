import type { Schema } from "./schemas";

type Rule = Record<string, unknown> & { type: string; optional?: boolean; nullable?: boolean };

/** Rules of fastest-validator, as frames have them, as JSON Schema. Throws for a rule it does not know, at the start. */
export function ruleSchema(fields: Record<string, unknown>): {
  properties: Record<string, Schema>;
  required: string[];
} {
  const rules = Object.entries(fields).map(([name, rule]) => [name, parsed(rule)] as const);
  return {
    properties: Object.fromEntries(rules.map(([name, rule]) => [name, schemaOf(rule)])),
    required: rules.filter(([, { optional }]) => !optional).map(([name]) => name),
  };
}

/** `string|min:1|optional` says the same as an object. */
function parsed(rule: unknown): Rule {
  if (typeof rule !== "string") return rule as Rule;
  const [type = "", ...more] = rule.split("|");
  const options = more.map(option => {
    const [name = "", value] = option.split(":");
    return [name, value === undefined ? true : Number(value)];
  });
  return { type, ...(Object.fromEntries(options) as object) };
}

function schemaOf(given: unknown): Schema {
  if (Array.isArray(given)) return { anyOf: given.map(schemaOf) };
  const rule = parsed(given);
  const schema = bare(rule);
  return rule.nullable ? { anyOf: [schema, { type: "null" }] } : schema;
}

function bare({ type, min, max, integer, items, values, value, props }: Rule): Schema {
  const bounds = (least: string, most: string) => ({
    ...(min !== undefined && { [least]: min }),
    ...(max !== undefined && { [most]: max }),
  });
  switch (type) {
    case "string":
      return { type, ...bounds("minLength", "maxLength") };
    case "number":
      return { type: integer ? "integer" : "number", ...bounds("minimum", "maximum") };
    case "boolean":
      return { type };
    case "array":
      return { type, ...bounds("minItems", "maxItems"), items: schemaOf(items) };
    case "enum":
      return { enum: values };
    case "record":
      return { type: "object", additionalProperties: schemaOf(value) };
    case "object":
      return props ? { type, ...ruleSchema(props as Record<string, unknown>) } : { type };
    default:
      throw new TypeError(`there is no schema for the rule ${type}`);
  }
}
