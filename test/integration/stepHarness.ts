// Runs host steps on real hosts the way Pulumi does: payload on standard input, removal by a constant command.
import { renderStep, type StepContent } from "../../components/host/payload";
import { type StepName } from "../../components/host/stepName";
import { carriedPath, packToolkit, renderToolkit } from "../../components/host/toolkit";
import type { Host } from "../hosts/host";
import type { Finished } from "../tools/process";

/**
 * What a step gets on standard input on this host; the toolkit is copied there first, unless it is installed already.
 */
export async function payload(
  host: Host,
  step: StepName,
  content: StepContent,
  installation = "test",
): Promise<string> {
  const toolkit = renderToolkit();
  if ((await host.exec("test -e /usr/local/lib/prometheus-backup/toolkit")).code !== 0) {
    await host.run(`base64 -d >${carriedPath(toolkit, host.name)}`, { input: packToolkit(toolkit).toString("base64") });
  }
  return renderStep(step, content, host.name, installation);
}

/** Under the name of a resource of a stack it is an update of what that has installed. */
export async function install(
  host: Host,
  step: StepName,
  content: StepContent,
  installation?: string,
): Promise<Finished> {
  return host.exec("timeout 600 /bin/bash -s", { input: await payload(host, step, content, installation) });
}

export function remove(host: Host, step: StepName, installation = "test"): Promise<Finished> {
  const program = `/usr/local/lib/prometheus-backup/${step}.sh`;
  return host.exec(`if [ -e ${program} ]; then exec /bin/bash ${program} remove ${installation} </dev/null; fi`);
}

/** Everything on the host that a step may touch: path, owner, mode, content, and with `times` the times of files. */
export function inventory(host: Host, times = false): Promise<string> {
  const places =
    "/etc/prometheus /etc/prometheus-backup /etc/systemd /etc/cron.d /etc/logrotate.d /etc/default /etc/nginx/sites-enabled /usr/local /var/lib/node_exporter /var/lib/prometheus/node-exporter";
  const time = times ? "%T@ " : "";
  return host.run(
    `{ find ${places} -not -path '*.wants/*' -type d -printf '%p %u:%g %m\\n' 2>/dev/null
       find ${places} -not -path '*.wants/*' -not -type d -printf '%p %u:%g %m ${time}%l\\n' 2>/dev/null
       find /etc/systemd -path '*.wants/*' -printf '%p %l\\n'
       find ${places} -type f -print0 2>/dev/null | xargs -0 sha256sum; } | sort`,
  );
}

/** Process id of the server; changes exactly when it is restarted. */
export async function serverProcess(host: Host, unit = host.paths.prometheusUnit): Promise<string> {
  return (await host.run(`systemctl show --property=MainPID --value ${unit}`)).trim();
}

export async function serverFlag(host: Host, flag: string, port = 9090): Promise<string | undefined> {
  const answer = JSON.parse(await host.run(`curl -s http://127.0.0.1:${port}/api/v1/status/flags`)) as {
    data: Record<string, string>;
  };
  return answer.data[flag];
}

/** The last line that a step said on standard error. */
export function lastWord(finished: Finished): string {
  return finished.stderr.trimEnd().split("\n").at(-1) ?? "";
}
