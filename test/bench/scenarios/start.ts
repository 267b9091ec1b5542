// What a start of the program costs: `pulumi preview` starts it once, `up` twice. Pulumi's runner starts it against an
// engine that answers at once, so no plugin and no host counts. An empty program by the same runner is the limit.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { previewOf, startEngine, type StandInEngine } from "../../tools/engine";
import { runOrThrow } from "../../tools/process";
import { measure, measureRounds, median, ratioInRounds, type Measured } from "../measure";
import { megabytes, report, type Cell } from "../results";
import { fresh } from "../site";

const root = path.join(__dirname, "..", "..", "..");
const HOSTS = 50;

/** A project with these files of this tree, and its packages. */
function project(directory: string, ...names: string[]): string {
  fresh(directory);
  for (const name of ["package.json", "tsconfig.json", "Pulumi.yaml", ...names]) {
    cpSync(path.join(root, name), path.join(directory, name), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"));
  return directory;
}

function emptyProgram(directory: string): string {
  project(directory);
  writeFileSync(path.join(directory, "index.ts"), "export {};\n");
  return directory;
}

/** The README's first host, so many times. */
function fleetOf(count: number): Record<string, unknown> {
  const example = readFileSync(path.join(root, "test", "examples", "first-host.yaml"), "utf8");
  const { config } = parse(example) as { config: Record<string, object[]> };
  const [host] = config["prometheus-backup:hosts"] ?? [];
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const hosts = numbers.map(number => ({ ...host, name: `prom-${number}`, address: `10.0.0.${number}` }));
  return { "prometheus-backup:hosts": hosts };
}

interface Way {
  project: string;
  config: Record<string, unknown>;
  environment?: Record<string, string>;
  /** Resources that it has to register, the stack included. */
  resources: number;
}

async function once(engine: StandInEngine, { project, config, environment, resources }: Way): Promise<Measured> {
  engine.registered.length = 0;
  const start = previewOf(project, engine, config);
  const measured = await measure(start.words, { ...start.environment, ...environment });
  if (engine.registered.length !== resources) {
    const number = engine.registered.length;
    throw new Error(`${number} resources were registered, not ${resources}: ${engine.messages.join("\n")}`);
  }
  return measured;
}

export async function start(directory: string, rounds: number): Promise<void> {
  const engine = await startEngine();
  const empty = emptyProgram(path.join(directory, "empty"));
  const sources = project(path.join(directory, "sources"), "index.ts", "components", "scripts");
  const built = project(path.join(directory, "built"), "index.ts", "components", "scripts", "tsconfig.build.json");
  await runOrThrow("npm", ["run", "build"], { cwd: built });
  // Of a host: its component and the four below, a command for each of these, and the copy of the toolkit.
  const one = { config: fleetOf(1), resources: 12 };
  const checked = { PULUMI_NODEJS_TRANSPILE_ONLY: "false" };
  const ways: Record<string, Way> = {
    "an empty program": { project: empty, config: {}, resources: 1 },
    "one host": { project: built, ...one },
    [`${HOSTS} hosts`]: { project: built, config: fleetOf(HOSTS), resources: 2 + 10 * HOSTS },
    "one host, sources changed since they were built": { project: sources, ...one },
    "one host, types checked": { project: sources, ...one, environment: checked },
  };
  try {
    const calls = Object.entries(ways).map(([name, way]) => [name, () => once(engine, way)] as const);
    const runs = await measureRounds(rounds, Object.fromEntries(calls));
    const limit = Object.values(runs)[0] ?? [];
    const figures: Record<string, number> = {};
    const rows = Object.entries(runs).map(([name, measured]): Cell[] => {
      const { wall, cpu, memory } = median(measured);
      const ratios = [
        ratioInRounds(measured, limit, "wall"),
        ratioInRounds(measured, limit, "cpu"),
        memory / median(limit).memory,
      ];
      Object.assign(figures, { [`${name} wall`]: wall, [`${name} cpu`]: cpu, [`${name} memory`]: memory });
      return [name, wall.toFixed(1), cpu.toFixed(2), megabytes(memory), ...ratios.map(ratio => ratio.toFixed(2))];
    });
    const columns = [
      "program",
      "wall s",
      "CPU s",
      "peak memory MB",
      "wall, it / empty",
      "CPU, it / empty",
      "memory, it / empty",
    ];
    report("start", [{ title: "A start of the program", columns, rows }], figures);
  } finally {
    engine.stop();
  }
}
