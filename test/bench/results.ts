// What a scenario found: a table for people, and the same in a file, from which the chart is drawn.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";

export type Cell = string | number;

export interface Table {
  title: string;
  columns: string[];
  rows: Cell[][];
}

export interface Result {
  /** Day on which it was measured. */
  measured: string;
  /** Load of the machine, a minute's mean, when it ended; `cores` for comparison. */
  load: number;
  cores: number;
  tables: Table[];
  /** Figures for the chart, and for whoever wants to compute with them. */
  figures: Record<string, number | number[]>;
}

const RESULTS = path.join(__dirname, "results");

/** Prints the tables as Markdown and writes test/bench/results/SCENARIO.json. */
export function report(scenario: string, tables: Table[], figures: Result["figures"]): void {
  const load = Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
  const result: Result = {
    measured: new Date().toISOString().slice(0, 10),
    load,
    cores: cpus().length,
    tables,
    figures,
  };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(path.join(RESULTS, `${scenario}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
  tables.forEach(table => console.log(`\n${markdown(table)}`));
}

export function readResult(scenario: string): Result {
  return JSON.parse(readFileSync(path.join(RESULTS, `${scenario}.json`), "utf8")) as Result;
}

function markdown({ title, columns, rows }: Table): string {
  const line = (cells: Cell[]): string => `| ${cells.join(" | ")} |`;
  return [
    `**${title}**`,
    "",
    line(columns),
    line(columns.map(() => "---")).replaceAll(" ", ""),
    ...rows.map(line),
  ].join("\n");
}

export const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
export const seconds = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
export const ratio = (a: number, b: number): string => (b === 0 ? "–" : (a / b).toFixed(2));
