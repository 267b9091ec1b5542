// Runs a job the way cron does: its line out of the file in /etc/cron.d, its user, its shell, hardly any environment.
import { quote, type Host } from "../hosts/host";
import type { Finished } from "../tools/process";

export interface CronJob {
  environment: Record<string, string>;
  schedule: string;
  user: string;
  command: string;
}

/** The first job of a file in /etc/cron.d: the backup. */
export function parseCronFile(text: string): CronJob {
  const lines = text.split("\n").filter(line => line.trim() !== "" && !line.startsWith("#"));
  const assignment = /^(\w+)\s*=\s*(.*)$/;
  const environment = Object.fromEntries(
    lines.flatMap(line => [assignment.exec(line)?.slice(1, 3) ?? []].filter(pair => pair.length > 0)) as [
      string,
      string,
    ][],
  );
  const job = lines.find(line => !assignment.test(line));
  const [, schedule, user, command] = /^(@\w+|(?:\S+\s+){4}\S+)\s+(\S+)\s+(.+)$/.exec(job ?? "") ?? [];
  if (schedule === undefined || user === undefined || command === undefined) {
    throw new Error(`no job of cron:\n${text}`);
  }
  return { environment, schedule, user, command };
}

export async function runAsCron(host: Host, job: CronJob): Promise<Finished> {
  const shell = job.environment.SHELL ?? "/bin/sh";
  const home = (await host.run(`getent passwd ${quote(job.user)} | cut --delimiter : --fields 6`)).trim();
  const variables = { HOME: home, LOGNAME: job.user, PATH: "/usr/bin:/bin", ...job.environment };
  const words = Object.entries(variables)
    .map(([name, value]) => quote(`${name}=${value}`))
    .join(" ");
  return host.exec(
    `cd / && exec env --ignore-environment ${words} su --shell ${quote(shell)} --preserve-environment ${quote(job.user)} --command ${quote(job.command)}`,
  );
}
