// Before the integration tests: everything slow is fetched or built once, outside any test's time limit.
// After them: what this run started is ended, also when a test file died half-way.
import { ensureDocker } from "./docker";
import { ensureImage } from "./image";
import { OWNER_VARIABLE, removeLeftovers, removeOwnedBy } from "./leftovers";
import { ensureMinio } from "../tools/minio";
import { ensurePlugins } from "../tools/plugins";
import { processTag } from "../tools/process";
import { ensurePulumi } from "../tools/pulumi";

export default async function setup(): Promise<() => Promise<void>> {
  // Test files run in processes of their own, which inherit this: their hosts belong to the whole run.
  process.env[OWNER_VARIABLE] = processTag();
  const docker = await ensureDocker();
  await removeLeftovers(docker);
  await ensureImage(docker, "bookworm", "debian");
  await ensureImage(docker, "bookworm", "course");
  await ensureMinio();
  await ensurePlugins(await ensurePulumi());
  return async () => {
    await removeOwnedBy(docker, processTag());
    await docker.release();
  };
}
