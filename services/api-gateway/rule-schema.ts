import type { Rule, Rules } from "../core/shapes";
import type { Schema } from "./schemas/parts";

type Parsed = Record<string, unknown> & { type: string; optional?: boolean; nullable?: boolean; description?: string };

/** An object by rules of fastest-validator, as JSON Schema. Throws for a rule it does not know, at the start. */
export const objectSchema = (fields: Rules): Schema => ({ type: "object", ...ruleSchema(fields) });

export function ruleSchema(fields: Rules): {
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
function parsed(rule: Rule): Parsed {
  if (typeof rule !== "string") return rule;
  const [type = "", ...more] = rule.split("|");
  const options = more.map(option => {
    const [name = "", value] = option.split(":");
    return [name, value === undefined ? true : Number(value)];
  });
  return { type, ...(Object.fromEntries(options) as object) };
}

export function schemaOf(given: Rule | readonly Rule[]): Schema {
  if (isList(given)) return { anyOf: given.map(schemaOf) };
  const rule = parsed(given);
  const schema = rule.nullable ? { anyOf: [bare(rule), { type: "null" }] } : bare(rule);
  if (rule.description === undefined) return schema;
  // What stands beside a reference is not read.
  return { ...("$ref" in schema ? { allOf: [schema] } : schema), description: rule.description };
}

const isList = (given: Rule | readonly Rule[]): given is readonly Rule[] => Array.isArray(given);

function bare({ type, min, max, integer, items, values, value, props, rules, name }: Parsed): Schema {
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
      return { type, ...bounds("minItems", "maxItems"), items: schemaOf(items as Rule) };
    case "enum":
      return { enum: values };
    case "record":
      return { type: "object", additionalProperties: schemaOf(value as Rule) };
    case "object":
      return props ? objectSchema(props as Rules) : { type };
    case "multi":
      return schemaOf(rules as Rule[]);
    case "shape":
      return { $ref: `#/components/schemas/${String(name)}` };
    case "any":
      return {};
    default:
      throw new TypeError(`there is no schema for the rule ${type}`);
  }
}
