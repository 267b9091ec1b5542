import { both, Check, filePathCheck, lineCheck } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { scheduleCheck } from "../fields/scheduleCheck";
import { jobDefaults, ownForm, scheduleForm } from "./form";
import { repositoryName, repositoryProblems } from "./repository";
import { JobSettings, Scheduler } from "./settings";

/** A job needs a place for its backups. */
export function missingRepositories(job: JobSettings): Problem[] {
  const text = "is missing. Say where backups go, for example `[ { path: /backup/prometheus } ]`.";
  return (job.repositories ?? []).length === 0 ? [{ path: "repositories", text }] : [];
}

/** What is wrong with the schedules. */
export function scheduleProblems(
  job: Pick<JobSettings, "schedule" | "spreadMinutes" | "timeZone" | "scheduler" | "drill">,
  hostName: string,
): Problem[] {
  const found = new Findings();
  found.fields("", scheduleForm, job);
  if (found.problems.length === 0) {
    const { spreadMinutes = jobDefaults.spreadMinutes, timeZone = jobDefaults.timeZone } = job;
    const zone = job.scheduler === Scheduler.Systemd ? timeZone : undefined;
    found.add("schedule", scheduleCheck(job.schedule ?? jobDefaults.schedule, spreadMinutes, hostName, zone));
    if (job.drill?.schedule !== undefined) {
      found.add("drill.schedule", scheduleCheck(job.drill.schedule, spreadMinutes, hostName, zone));
    }
  }
  return found.problems;
}

/** What is wrong with the job: repositories, retention, limits. */
export function jobProblems(job: JobSettings & { environment?: string; textfileDirectory?: string }): Problem[] {
  const found = new Findings();
  found.text("environment", job.environment, environmentCheck);
  found.fields("", ownForm, job);
  const repositories = job.repositories ?? [];
  repositories.forEach((repository, index) => repositoryProblems(found, `repositories[${index}]`, repository));
  const names = repositories.map(repository => repositoryName(repository));
  for (const name of new Set(names.filter((candidate, index) => names.indexOf(candidate) !== index))) {
    const where = names.flatMap((candidate, index) => (candidate === name ? [`repositories[${index}].name`] : []));
    found.add(
      where.join(", "),
      `${where.length === 2 ? "both" : "all"} are "${name}". Names must differ because commands and logs use them. ` +
        `Give each a \`name\` of its own.`,
    );
  }
  if (job.textfileDirectory !== undefined && job.textfileDirectory !== "") {
    found.text("textfileDirectory", job.textfileDirectory, filePathCheck);
  }
  return found.problems;
}

/** An environment is a label of metrics, of any printable text. */
export const environmentCheck: Check = both(lineCheck, value =>
  value.length >= 1 && value.length <= 64 ? undefined : "must be 1 to 64 characters. Choose another name.",
);
