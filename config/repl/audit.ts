import type { AuditRecord } from "../../services/core/contract";
import { AUDIT_TYPES, isAuditType, type AuditType } from "../../services/core/audit";
import { command, Mistake, nearest, wholeOf } from "./command";
import { many, paragraphs, table } from "./format";

/** Records shown unless more are asked for, and at most. */
const SHOWN = 50;
const MOST = 100;

export const audit = command({
  name: "audit",
  description: "who did what, newest first",
  options: {
    user: { type: "string", short: "u", meaning: "by this user, or done to this user" },
    type: { type: "string", short: "t", meaning: "of this type, as room.ban" },
    limit: { type: "string", short: "n", meaning: `records, ${SHOWN} unless given` },
  },
  async ask(operator, { options }) {
    const limit = wholeOf(options.limit, SHOWN, MOST);
    const type = typeOf(options.type);
    const user = typeof options.user === "string" ? await operator.user(options.user) : null;
    const wanted = { limit, ...(type && { type }) };
    const asked = user ? [{ actor: user.id }, { object: user.id }] : [{}];
    const pages = await Promise.all(asked.map(by => operator.ask("auth.auditTrail", { ...wanted, ...by })));
    const found = new Map(pages.flatMap(({ items }) => items).map(record => [record.id, record]));
    const records = [...found.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
    const people = records.flatMap(({ actor, object }) => [actor ?? "", object ?? ""]);
    const name = await operator.names(people);
    return { records, names: Object.fromEntries(people.map(id => [id, name(id)])) };
  },
  show({ records, names }, paint) {
    const shown = (id: string | null | undefined): string => (id ? (names[id] ?? id) : "");
    return paragraphs(
      many(records.length, "record"),
      table(
        paint,
        ["at", "type", "result", "by", "to", "address", "more"],
        records.map(record => [
          record.at,
          record.type,
          record.result === "ok" ? "ok" : paint.red(record.result),
          shown(record.actor),
          shown(record.object),
          record.address ?? "",
          detailOf(record),
        ]),
      ),
    );
  },
});

const detailOf = ({ detail = {} }: AuditRecord): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

function typeOf(given: string | boolean | undefined): AuditType | undefined {
  if (given === undefined || isAuditType(given)) return given;
  const near = nearest(String(given), AUDIT_TYPES);
  throw new Mistake(
    `there is no type "${given}"; ${near.length > 0 ? `did you mean ${near.join(" or ")}?` : `there is ${AUDIT_TYPES.join(", ")}`}`,
  );
}
