// The end of a run: its ten slowest files, and what each waited for.
import type { Reporter, TestModule } from "vitest/node";
import type {} from "./handWaits";

const FILES = 10;
const WAITS = 4;

export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const slowest = modules
      .filter(module => secondsOf(module) >= 1)
      .sort((a, b) => secondsOf(b) - secondsOf(a))
      .slice(0, FILES);
    if (slowest.length > 1) {
      process.stdout.write(
        `\nSlowest files, and what they waited for (side by side counts twice):\n${slowest.map(line).join("")}`,
      );
    }
  }
}

const secondsOf = (module: TestModule): number =>
  (module.diagnostic().duration + module.diagnostic().collectDuration) / 1000;

function line(module: TestModule): string {
  const waits = Object.entries(module.meta().waits ?? {})
    .sort(([, a], [, b]) => b - a)
    .slice(0, WAITS)
    .filter(([, seconds]) => seconds >= 0.5);
  const shown = waits.map(([what, seconds]) => `${what} ${seconds.toFixed(0)} s`).join(", ");
  return `${secondsOf(module).toFixed(0).padStart(5)} s  ${module.relativeModuleId}${shown === "" ? "" : `: ${shown}`}\n`;
}
