// Draws docs/performance.svg from what the scenarios about backups (above) and restores (below) wrote: `npm run bench
// -- chart`.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { init, type EChartsOption } from "echarts";
import { readResult, type Result } from "./results";

const PICTURE = path.join(__dirname, "..", "..", "docs", "performance.svg");
const WIDTH = 1120;
const ROW = 340;
/** Of the bars of a row; the lower one has fewer. */
const HEIGHTS = [240, 144] as const;
const HEIGHT = ROW + HEIGHTS[1] + 80;
const OURS = "#2f6f8f";
const OTHERS = "#c3cad1";
const TEXT = { fontFamily: "sans-serif", color: "#333" };

const WAYS = [
  ["course", "tar -czf"],
  ["restic", "restic"],
  ["rclone", "rclone sync"],
  ["limit", "limit"],
  ["ours", "prometheus-backup"],
] as const;

interface Panel {
  title: string;
  left: number;
  width: number;
  /** 0 is the upper one. */
  row: 0 | 1;
  names: string[];
  values: number[];
  colors: string[];
  digits: number;
  logarithmic: boolean;
}

function figure(result: Result, name: string): number {
  const value = result.figures[name];
  if (typeof value !== "number") {
    throw new Error(`the results lack ${name}; run the scenario again`);
  }
  return value;
}

function backupPanels(): Panel[] {
  const [daily, days30] = [readResult("daily"), readResult("days30")];
  const names = WAYS.map(([, name]) => name);
  const colors = WAYS.map(([key]) => (key === "ours" ? OURS : OTHERS));
  const once = figure(days30, "onceBytes");
  return [
    {
      title: "A day's backup: CPU s (log)",
      left: 140,
      width: 170,
      row: 0,
      names,
      colors,
      values: WAYS.map(([key]) => figure(daily, `${key}Cpu`)),
      digits: 1,
      logarithmic: true,
    },
    {
      title: "A day's backup: MB sent (log)",
      left: 490,
      width: 170,
      row: 0,
      names,
      colors,
      values: WAYS.map(([key]) => figure(daily, `${key}Bytes`) / 1e6),
      digits: 0,
      logarithmic: true,
    },
    {
      title: "30 days: times each sample is sent",
      left: 880,
      width: 180,
      row: 0,
      digits: 2,
      logarithmic: false,
      names: ["all new blocks, daily", "all new blocks, 2 h", "prometheus-backup, daily", "prometheus-backup, 2 h"],
      values: [
        figure(days30, "dailyByUlid"),
        figure(days30, "oftenByUlid"),
        figure(days30, "dailyBytes") / once,
        figure(days30, "oftenBytes") / once,
      ],
      colors: [OTHERS, OTHERS, OURS, OURS],
    },
  ];
}

function restorePanels(): Panel[] {
  const [fromPath, fromS3, down] = [readResult("restore"), readResult("restore-s3"), readResult("downtime")];
  return [
    {
      title: "Full restore from a path: s",
      left: 140,
      width: 170,
      row: 1,
      digits: 1,
      logarithmic: false,
      colors: [OTHERS, OURS],
      names: ["zstd | tar, unchecked", "prometheus-backup"],
      values: [figure(fromPath, "plain"), figure(fromPath, "ours")],
    },
    {
      title: "Full restore from S3: s",
      left: 490,
      width: 170,
      row: 1,
      digits: 1,
      logarithmic: false,
      colors: [OTHERS, OTHERS, OURS],
      names: ["rclone copy, zstd | tar", "rclone cat | zstd | tar", "prometheus-backup"],
      values: [figure(fromS3, "copy"), figure(fromS3, "stream"), figure(fromS3, "ours")],
    },
    {
      title: "Without a ready server: s",
      left: 880,
      width: 180,
      row: 1,
      digits: 1,
      logarithmic: false,
      colors: [OTHERS, OTHERS, OURS],
      names: ["restart, hours in its head", "restart, empty head", "restore by prometheus-backup"],
      values: [figure(down, "withHead"), figure(down, "plain"), figure(down, "restore")],
    },
  ];
}

function optionFor(all: Panel[]): EChartsOption {
  return {
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: TEXT,
    title: all.map(panel => ({
      text: panel.title,
      left: panel.left + panel.width / 2,
      top: 18 + panel.row * (ROW - 20),
      textAlign: "center",
      textStyle: { ...TEXT, fontSize: 13, fontWeight: "bold" },
    })),
    grid: all.map(panel => ({
      left: panel.left,
      width: panel.width,
      top: 60 + panel.row * (ROW - 20),
      height: HEIGHTS[panel.row],
    })),
    xAxis: all.map((panel, gridIndex) => ({
      type: panel.logarithmic ? "log" : "value",
      min: panel.logarithmic ? 1 : 0,
      gridIndex,
      splitLine: { show: false },
      axisLabel: { ...TEXT, fontSize: 10, hideOverlap: true },
    })),
    yAxis: all.map((panel, gridIndex) => ({
      type: "category",
      gridIndex,
      data: panel.names,
      axisTick: { show: false },
      axisLabel: { ...TEXT, fontSize: 11, width: 150, overflow: "break" },
    })),
    series: all.map((panel, index) => ({
      type: "bar",
      xAxisIndex: index,
      yAxisIndex: index,
      barWidth: "60%",
      label: {
        show: true,
        position: "right",
        ...TEXT,
        fontSize: 11,
        formatter: ({ value }) => Number(value).toFixed(panel.digits),
      },
      data: panel.values.map((value, bar) => ({ value, itemStyle: { color: panel.colors[bar] } })),
    })),
  };
}

export function chart(): void {
  const picture = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  picture.setOption(optionFor([...backupPanels(), ...restorePanels()]));
  writeFileSync(PICTURE, `${picture.renderToSVGString()}\n`);
  picture.dispose();
  console.log(`drew ${path.relative(process.cwd(), PICTURE)}`);
}
