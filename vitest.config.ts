import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { defineConfig } from "vitest/config";

// `.ci/run` names a directory and counts what each run of Vitest reports there.
const reports = process.env.TEST_REPORTS;
const jsonReport: [string, object][] =
  reports === undefined ? [] : [["json", { outputFile: path.join(reports, `${process.pid}.json`) }]];

/** Needs no host, but other programs for most of its time. */
const PROGRAMS = ["test/{alerts,backup,package,restore,steps}/**/*.test.ts"];

const WITHOUT_HOST = {
  // A bash that takes itself for the first one reads the ~/.bashrc of whoever runs the tests, since its input is a
  // socket.
  env: { SHLVL: "2" },
  // They start programs and wait for them; on a machine with two cores the default would be one file at a time.
  maxWorkers: Math.max(2, availableParallelism()),
  // Loading Pulumi and zod anew for each file would be a third of the time. No file leaves anything behind in them.
  isolate: false,
  // Nothing ends by it but what hangs, see below.
  testTimeout: 600_000,
  hookTimeout: 600_000,
};

/** Files in which something is left to `npm run test:slow`. */
const WITH_SLOW_TESTS = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter(name => name.endsWith(".test.ts"))
  .map(name => path.join("test", name))
  .filter(name => readFileSync(name, "utf8").includes('/runner/pace"'));

export default defineConfig({
  test: {
    reporters: ["default", "./test/runner/slowestFiles.ts", ...jsonReport],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [
            ...PROGRAMS,
            "test/integration/**",
            "test/hostCommand/**",
            "test/bench/**",
            "test/receivers/**",
            "node_modules/**",
          ],
          globalSetup: ["test/tools/debianPackages.ts"],
          ...WITHOUT_HOST,
        },
      },
      {
        test: {
          // Functions of the host's programs in real bash, rules in promtool, the package as npm makes and installs it.
          name: "programs",
          include: PROGRAMS,
          globalSetup: ["test/tools/debianPackages.ts"],
          ...WITHOUT_HOST,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/hostCommand/**/*.test.ts"],
          // The slow tests have hosts of Debian 12, and so do those that are started by hand.
          env: { PROMETHEUS_BACKUP_TEST_SUITE: process.env.PROMETHEUS_BACKUP_TEST_SUITE ?? "trixie" },
          globalSetup: ["test/hosts/globalSetup.ts"],
          setupFiles: ["test/runner/handWaits.ts"],
          // They wait as much as they work. Each worker has a host of its own for all files that can share one.
          maxWorkers: 2 * Math.max(2, availableParallelism()),
          // Nothing ends by it but what hangs, also where everything takes several times as long.
          testTimeout: 1_800_000,
          hookTimeout: 2_400_000,
        },
      },
      {
        test: {
          // What takes too long for every change: `npm run test:slow`.
          name: "slow",
          include: ["test/**/*.slow.ts", ...WITH_SLOW_TESTS],
          env: { ...WITHOUT_HOST.env, PROMETHEUS_BACKUP_TEST_SLOW: "1" },
          globalSetup: ["test/tools/debianPackages.ts", "test/hosts/globalSetup.ts"],
          setupFiles: ["test/runner/handWaits.ts"],
          maxWorkers: 2 * Math.max(2, availableParallelism()),
          testTimeout: 3_600_000,
          hookTimeout: 1_200_000,
        },
      },
      {
        // `npm run receivers`: the programs are built from source the first time, for longer than a change may take.
        test: {
          name: "receivers",
          include: ["test/receivers/**/*.test.ts"],
          globalSetup: ["test/hosts/globalSetup.ts"],
          setupFiles: ["test/runner/handWaits.ts"],
          fileParallelism: false,
          testTimeout: 5_400_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});
