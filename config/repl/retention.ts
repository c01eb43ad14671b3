import { command, Mistake } from "./command";
import { ago, iso, many, paragraphs, table } from "./format";
import { shortNode } from "./operator";

export const retention = command({
  name: "retention",
  description: "what removes messages that are too old: how far it is",
  options: { now: { type: "boolean", meaning: "begins a round at once" } },
  async ask(operator, { options }) {
    const answers = await operator.everywhere("messages.retention", { now: options.now === true });
    if (answers.length === 0) throw new Mistake("there is no messages node");
    return answers.map(({ node, answer, problem }) => {
      if (!answer) return { node, problem };
      const { since, last, ...state } = answer;
      return {
        node,
        ...state,
        since: since === null ? null : iso(since),
        last: last && { ...last, at: iso(last.at) },
      };
    });
  },
  ok: nodes => nodes.some(node => "chosen" in node && node.chosen),
  show(nodes, paint) {
    const found = nodes.flatMap(node => ("chosen" in node ? [node] : []));
    const days = found[0]?.days ?? 0;
    return paragraphs(
      days === 0
        ? "kept for ever, unless a room says otherwise"
        : `kept for ${days} days, unless a room says otherwise`,
      table(
        paint,
        ["node", "does it", "round", "rounds", "removed", "overdue", "last round", "took", "removed", "failed"],
        found.map(({ node, chosen, since, rounds, removed, overdue, last }) => [
          shortNode(node),
          chosen ? "yes" : "no",
          since === null ? "-" : `since ${ago(since)}`,
          rounds,
          removed,
          `${Math.round(overdue / 3_600_000)} h`,
          last ? ago(last.at) : "-",
          last ? `${(last.took / 1_000).toFixed(1)} s` : "-",
          last ? last.removed : "-",
          last ? many(last.failed, "room") : "-",
        ]),
      ),
      nodes
        .flatMap(node =>
          "problem" in node && node.problem !== undefined ? [paint.red(`${node.node}: ${node.problem}`)] : [],
        )
        .join("\n"),
    );
  },
});
