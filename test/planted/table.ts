import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../config/root";
import type { Ground } from "../chaos/ground";
import type { Rule } from "../judge/verdict";
import type { Trial } from "./hunt";

const HEAD = ["| planted bug | what it does | faults | caught by | also broken |", "| --- | --- | --- | --- | --- |"];

/** What was planted in one shape and what caught it, in Markdown. */
export function tableOf(trials: readonly Trial[]): string {
  const rows = trials.map(({ bug, convictedBy, result: { verdict } }) => {
    const others = (Object.keys(verdict.broken) as Rule[]).filter(rule => !convictedBy.includes(rule));
    const caught = bug ? convictedBy.join(", ") || "**not caught**" : verdict.valid ? "clean" : "**not clean**";
    const faults = Object.keys(verdict.counts.faults).join(", ");
    return `| ${bug?.name ?? "none (control)"} | ${bug?.what ?? ""} | ${faults} | ${caught} | ${others.join(", ")} |`;
  });
  return [...HEAD, ...rows].join("\n");
}

/** Keeps the tables where people look for them, one for each shape: that of the other shape stays. Returns all of it. */
export function keepTable(shape: Ground["shape"], trials: readonly Trial[]): string {
  const folder = join(projectRoot, ".cache");
  const tables = (["embedded", "cluster"] as const).map(one => {
    const file = join(folder, `planted.${one}.md`);
    if (one === shape) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, `## ${one}\n\n${tableOf(trials)}\n`);
    }
    return textOf(file);
  });
  const all = tables.filter(text => text !== "").join("\n");
  writeFileSync(join(folder, "planted.md"), all);
  return all;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
