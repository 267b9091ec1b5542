/**
 * `npm run dashboard:picture`: draws docs/grafana/*.png out of the checked-in dashboard, with the answers of a real
 * Prometheus to its queries over the made-up fortnight. Needs Chromium; fetches Grafana's parts from npm into the
 * cache.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { cacheDirectory, step } from "../tools/cache";
import { ensurePrograms } from "../tools/debianPackages";
import { run, runOrThrow } from "../tools/process";
import { NOW, START, STEP } from "./fortnight";
import { allQueries, dashboardFile, type Series } from "./queries";
import { startFortnightServer } from "./server";

const PARTS = [
  "@grafana/data@13.2.2",
  "@grafana/ui@13.2.2",
  "esbuild@0.28.2",
  "react@19.3.1",
  "react-dom@19.3.1",
  "rxjs@7.8.2",
];
const HOST = "prom-us-1";
const WIDTH = 1632;
const pictures = [
  { row: 1, file: "dashboard-fleet.png" },
  { row: 20, file: "dashboard-host.png" },
];

/** The directory with Grafana's parts and the bundler, fetched once. */
async function ensureParts(): Promise<string> {
  const directory = cacheDirectory("dashboard-picture", "grafana-ui-13.2.2");
  if (!existsSync(path.join(directory, "complete"))) {
    await step("fetching the parts of Grafana from npm", async () => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(path.join(directory, "package.json"), JSON.stringify({ private: true }));
      await runOrThrow("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", ...PARTS], {
        cwd: directory,
      });
      writeFileSync(path.join(directory, "complete"), "");
    });
  }
  return directory;
}

async function answers(): Promise<Record<string, Series[]>> {
  const server = await startFortnightServer();
  try {
    const found: Record<string, Series[]> = {};
    for (const query of allQueries(HOST)) {
      found[query.name] = await server.query(query);
    }
    return found;
  } finally {
    await server.stop();
  }
}

async function bundle(parts: string, scratch: string): Promise<void> {
  await runOrThrow(
    path.join(parts, "node_modules/.bin/esbuild"),
    [
      path.join(__dirname, "picture/view.mjs"),
      "--bundle",
      "--format=iife",
      '--define:process.env.NODE_ENV="production"',
      "--define:global=window",
      "--loader:.svg=dataurl",
      "--loader:.woff2=dataurl",
      "--loader:.ttf=dataurl",
      "--log-level=error",
      `--outfile=${path.join(scratch, "view.js")}`,
    ],
    { env: { ...process.env, NODE_PATH: path.join(parts, "node_modules") } },
  );
}

async function browse(page: string, ...flags: string[]): Promise<string> {
  const finished = await run(
    "chromium",
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--hide-scrollbars",
      "--allow-file-access-from-files",
      "--virtual-time-budget=20000",
      ...flags,
      pathToFileURL(page).href,
    ],
    { timeoutSeconds: 120 },
  );
  if (finished.code !== 0) {
    throw new Error(`chromium ended with ${finished.code}:\n${finished.stderr}`);
  }
  return finished.stdout;
}

async function draw(scratch: string, row: number, results: Record<string, Series[]>, target: string): Promise<void> {
  const data = {
    dashboard: JSON.parse(readFileSync(dashboardFile, "utf8")) as unknown,
    results,
    host: HOST,
    range: { start: START + STEP, end: NOW, step: STEP },
    row,
  };
  writeFileSync(path.join(scratch, "data.js"), `window.DASHBOARD = ${JSON.stringify(data)};`);
  const page = path.join(scratch, "page.html");
  writeFileSync(
    page,
    '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="view.css"><body><div id="dashboard"></div><script src="data.js"></script><script src="view.js"></script></body>',
  );
  const [, height] =
    /<title>height (\d+)<\/title>/.exec(await browse(page, "--dump-dom", `--window-size=${WIDTH},1200`)) ?? [];
  if (height === undefined) {
    throw new Error(`the page was not drawn; look at ${page}`);
  }
  const picture = path.join(scratch, "picture.png");
  await browse(page, `--screenshot=${picture}`, `--window-size=${WIDTH},${height}`);
  renameSync(picture, target);
}

async function main(): Promise<void> {
  await ensurePrograms([{ command: "chromium", debianPackage: "chromium" }]);
  const parts = await ensureParts();
  const results = await answers();
  const scratch = mkdtempSync(path.join(tmpdir(), "prometheus-backup-picture-"));
  await bundle(parts, scratch);
  for (const { row, file } of pictures) {
    const target = path.join(path.dirname(dashboardFile), file);
    await draw(scratch, row, results, target);
    console.log(target);
  }
  rmSync(scratch, { recursive: true });
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
