// Finds and removes what an earlier run of the same checkout left behind when it died.
import { createHash } from "node:crypto";
import path from "node:path";
import { isTagAlive, processTag } from "../tools/process";
import { say } from "../tools/cache";
import { removeContainer } from "./container";
import type { Docker } from "./docker";

const CHECKOUT_LABEL = "prometheus-backup-test.checkout";
const OWNER_LABEL = "prometheus-backup-test.owner";
const KEPT = "kept";

/** Set by the test runner's main process: what its workers start belongs to it and outlives them. */
export const OWNER_VARIABLE = "PROMETHEUS_BACKUP_TEST_OWNER";

/** Set where the host of the host command's tests is to stay for the next run. */
export const KEEP_VARIABLE = "PROMETHEUS_BACKUP_TEST_KEEP";

/** Container name prefix and labels that tell whose a container is. */
export function checkoutLabels({ keep = false } = {}): { prefix: string; labels: Record<string, string> } {
  const checkout = path.resolve(__dirname, "..", "..");
  const id = createHash("sha256").update(checkout).digest("hex").slice(0, 6);
  const owner = keep ? KEPT : (process.env[OWNER_VARIABLE] ?? processTag());
  return { prefix: `prometheus-backup-${id}`, labels: { [CHECKOUT_LABEL]: checkout, [OWNER_LABEL]: owner } };
}

/** Removes containers of this checkout whose owner is dead. Hosts that are kept on purpose stay. */
export async function removeLeftovers(docker: Docker): Promise<void> {
  await removeContainers(docker, owner => owner !== KEPT && !isTagAlive(owner));
}

/** Removes whatever the given process and its workers started. */
export async function removeOwnedBy(docker: Docker, tag: string): Promise<void> {
  await removeContainers(docker, owner => owner === tag);
}

async function removeContainers(docker: Docker, chosen: (owner: string) => boolean): Promise<void> {
  const checkout = checkoutLabels().labels[CHECKOUT_LABEL];
  const list = await docker.output([
    ...["ps", "--all", "--filter", `label=${CHECKOUT_LABEL}=${checkout}`],
    ...["--format", `{{.Names}}\t{{.Label "${OWNER_LABEL}"}}`],
  ]);
  for (const line of list.split("\n").filter(text => text !== "")) {
    const [name = "", owner = ""] = line.split("\t");
    if (chosen(owner)) {
      say(`removing container ${name}`);
      await removeContainer(docker, name);
    }
  }
}
