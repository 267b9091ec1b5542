// `npm run screens`: records the session on a host and compares it with docs/screens.md;
// with `--write` it writes that page anew.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const env = { ...process.env, PROMETHEUS_BACKUP_WRITE_SCREENS: values.write ? "1" : "0" };
const { status } = spawnSync("npx", ["vitest", "run", "--project", "slow", "test/hostCommand/screens.test.ts"], {
  stdio: "inherit",
  env,
});
process.exitCode = status ?? 1;
