// `npm run test:matrix`: the main path on other Debian releases than the gate's, one after the other; other releases by
// name as arguments. 12 has Prometheus 2.42, systemd 252 and jq 1.6; sid has Prometheus 3. Their images are made the
// first time, which takes minutes.
import { run } from "../tools/process";

const SUITES = ["bookworm", "sid"];
/**
 * Install, reboot, remove; a run by cron with its alerts; a lost data directory and a new host; heal and merge on the
 * live server.
 */
const MAIN_PATH = ["integration/lifecycle", "integration/restore", "hostCommand/run", "hostCommand/liveServer"].map(
  name => `test/${name}.test.ts`,
);
const LIMIT_SECONDS = 4 * 3600;

async function main(): Promise<void> {
  const [, , ...named] = process.argv;
  const failed: string[] = [];
  for (const suite of named.length > 0 ? named : SUITES) {
    const { code } = await run("npx", ["vitest", "run", "--project", "integration", ...MAIN_PATH], {
      onOutput: text => void process.stdout.write(text),
      env: { ...process.env, PROMETHEUS_BACKUP_TEST_SUITE: suite },
      timeoutSeconds: LIMIT_SECONDS,
    });
    process.stdout.write(`\n[${suite}] ${code === 0 ? "passed" : "FAILED"}\n`);
    if (code !== 0) {
      failed.push(suite);
    }
  }
  process.exitCode = failed.length === 0 ? 0 : 1;
}

void main();
