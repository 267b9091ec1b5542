/**
 * `npm run dashboard`: writes the Grafana dashboard that is kept in docs/grafana.
 *
 * With `--out FILE` it writes another file, with `--runbooks BASE` one whose alerts link to runbooks at that address.
 */
import * as fs from "fs";
import * as path from "path";
import { parseArgs } from "util";
import { alertDefaults } from "../../../components/alertRules/settings";
import { renderDashboard } from "./dashboard";

const options = {
  out: { type: "string", default: path.join(__dirname, "..", "..", "..", "docs", "grafana", "prometheus-backup.json") },
  runbooks: { type: "string", default: alertDefaults.runbookBase },
} as const;

function main(): void {
  const { out, runbooks } = parseArgs({ options }).values;
  fs.mkdirSync(path.dirname(out), { recursive: true });
  fs.writeFileSync(out, renderDashboard(runbooks));
  console.log(out);
}

try {
  main();
} catch (error) {
  console.error(`dashboard: error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
