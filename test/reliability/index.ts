// `npm run reliability`: every fault that a backup must survive, tried for real on the course's script and on this
// project.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { startPrometheusStub } from "../servers/prometheusStub";
import { ensureDocker } from "../hosts/docker";
import { readIfThere, say, step } from "../tools/cache";
import { courseCandidate, projectCandidate, type Candidate } from "./candidates";
import type { Check, Equipment, Fault } from "./check";
import { faultsOfBackup } from "./faultsOfBackup";
import { faultsOfBlocks } from "./faultsOfBlocks";
import { faultsOfHost } from "./faultsOfHost";
import { faultsOfOthers } from "./faultsOfOthers";
import { faultsOfRestore } from "./faultsOfRestore";
import { recordHistory, Stage } from "./stage";
import { renderTable, type Outcomes } from "./table";

const USAGE = `Usage: npm run reliability -- [--write] [F1 F2 ...]
  Tries the faults (all of them, unless named) and prints the table. Earlier results are kept in out/reliability.json.
  --write   puts the table into docs/reliability.md
`;
const root = path.join(__dirname, "..", "..");
const resultsFile = path.join(root, "out", "reliability.json");
const page = path.join(root, "docs", "reliability.md");
const faults: Fault[] = [...faultsOfBackup, ...faultsOfRestore, ...faultsOfHost, ...faultsOfBlocks, ...faultsOfOthers];
const candidates: Record<Candidate["kind"], (stage: Stage) => Promise<Candidate>> = {
  course: courseCandidate,
  project: projectCandidate,
};

/** Makes something when it is first asked for. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

async function tryFault(
  fault: Fault,
  kind: Candidate["kind"],
  history: Buffer,
  equipment: Equipment,
): Promise<Check[]> {
  const stage = await Stage.open(`${fault.id.toLowerCase()}-${kind}`, history, fault.stage ?? {});
  try {
    return await fault.try(stage, await candidates[kind](stage), equipment);
  } finally {
    await stage.host.stop();
  }
}

async function main(words: string[]): Promise<number> {
  const wanted = words.filter(word => !word.startsWith("--"));
  if (
    words.some(word => word.startsWith("--") && word !== "--write") ||
    wanted.some(id => !faults.some(fault => fault.id === id))
  ) {
    process.stderr.write(USAGE);
    return 2;
  }
  const docker = await ensureDocker();
  const gateway = await docker.gateway();
  const stubs: { stop(): Promise<void> }[] = [];
  const equipment: Equipment = {
    future: once(() => recordHistory(-6, 1)),
    hostileServer: async (stage, name) => {
      const stub = await startPrometheusStub(gateway, stage.dataDirectory);
      stubs.push(stub);
      stub.answer("/api/v1/admin/tsdb/snapshot", {
        status: 200,
        type: "application/json",
        body: JSON.stringify({ status: "success", data: { name } }),
      });
      return stub.url;
    },
  };
  const outcomes = JSON.parse(readIfThere(resultsFile) || "{}") as Outcomes;
  try {
    const history = await step("making the history", () => recordHistory());
    for (const fault of faults.filter(({ id }) => wanted.length === 0 || wanted.includes(id))) {
      for (const kind of ["course", "project"] as const) {
        const checks = await step(`${fault.id} on ${kind}`, () => tryFault(fault, kind, history, equipment));
        outcomes[fault.id] = { ...outcomes[fault.id], [kind]: checks };
        checks.forEach(({ ok, seen }) => say(`  ${ok ? "✔" : "✘"} ${seen}`));
        mkdirSync(path.dirname(resultsFile), { recursive: true });
        writeFileSync(resultsFile, JSON.stringify(outcomes, null, 2));
      }
    }
  } finally {
    await Promise.all(stubs.map(stub => stub.stop()));
    await docker.release();
  }
  const table = renderTable(faults, outcomes);
  process.stdout.write(table);
  if (words.includes("--write")) {
    writeFileSync(
      page,
      readFileSync(page, "utf8").replace(
        /(<!-- table -->\n)[\s\S]*(<!-- end of table -->)/,
        (_, begin: string, end: string) => `${begin}${table}${end}`,
      ),
    );
  }
  return faults.every(({ id }) => outcomes[id]?.project?.every(({ ok }) => ok) ?? false) ? 0 : 1;
}

main(process.argv.slice(2))
  .then(code => {
    process.exitCode = code;
  })
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  });
