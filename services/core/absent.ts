/** A rule of fastest-validator, in any of its forms. */
type Rule =
  string | readonly Rule[] | { optional?: boolean; nullable?: boolean; props?: Rules; items?: Rule; value?: Rule };
type Rules = Readonly<Record<string, Rule>>;

type Strip = (value: unknown) => unknown;

const same: Strip = value => value;

/**
 * Takes out each null that stands where a rule does without a value and knows no null: it says what leaving it out says, as
 * serializers of many languages write it. The validator alone would let it pass as it is. What was given stays as it was.
 */
export function absentNulls(rules: Rules): Strip {
  const fields = Object.entries(rules).map(([name, rule]) => ({ name, drops: drops(rule), inner: stripOf(rule) }));
  const known = fields.filter(({ drops: drop, inner }) => drop || inner !== same);
  if (known.length === 0) return same;
  return value => {
    if (typeof value !== "object" || value === null) return value;
    let all = value as Record<string, unknown>;
    for (const { name, drops: drop, inner } of known) {
      if (!Object.hasOwn(all, name)) continue;
      const given = all[name];
      const kept = given === null ? given : inner(given);
      if (kept === given && !(given === null && drop)) continue;
      if (all === value) all = { ...all };
      if (kept === null) delete all[name];
      else all[name] = kept;
    }
    return all;
  };
}

function drops(rule: Rule): boolean {
  if (typeof rule === "string") return rule.split("|").includes("optional") && !rule.split("|").includes("nullable");
  if (isList(rule)) return rule.length > 0 && rule.every(drops);
  return rule.optional === true && rule.nullable !== true;
}

function stripOf(rule: Rule): Strip {
  if (typeof rule === "string" || isList(rule)) return same;
  if (rule.props) return absentNulls(rule.props);
  if (rule.items !== undefined) {
    const inner = stripOf(rule.items);
    return inner === same ? same : value => (Array.isArray(value) ? value.map(inner) : value);
  }
  // Names that clients choose. Null stays what it is: the rule of the values says whether it may be.
  const inner = rule.value === undefined ? same : stripOf(rule.value);
  if (inner === same) return same;
  return value =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, one === null ? one : inner(one)]))
      : value;
}

const isList = (rule: Rule): rule is readonly Rule[] => Array.isArray(rule);
