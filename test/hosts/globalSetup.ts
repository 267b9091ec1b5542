// Before the integration tests: everything slow is fetched or built once, outside any test's time limit.
// After them: what this run started is ended, also when a test file died half-way.
import type { TestProject } from "vitest/node";
import { ensureDocker } from "./docker";
import { ensureImage, hostSuite } from "./image";
import { OWNER_VARIABLE, removeLeftovers, removeOwnedBy } from "./leftovers";
import { shareMinio, startMinio } from "../servers/minio";
import { ensurePlugins } from "../tools/plugins";
import { processTag } from "../tools/process";
import { ensurePulumi } from "../tools/pulumi";

export default async function setup({ config }: TestProject): Promise<() => Promise<void>> {
  // Test files run in processes of their own, which inherit this: their hosts belong to the whole run.
  process.env[OWNER_VARIABLE] = processTag();
  const docker = await ensureDocker();
  await removeLeftovers(docker);
  const suite = config.env.PROMETHEUS_BACKUP_TEST_SUITE ?? hostSuite();
  for (const target of ["debian", "course", "command"] as const) {
    await ensureImage(docker, suite, target);
  }
  const { kind } = await ensurePlugins(await ensurePulumi());
  // So that the test files need not try again whether the download answers.
  process.env.PROMETHEUS_BACKUP_PLUGINS ??= kind;
  const minio = await startMinio();
  shareMinio(minio);
  return async () => {
    await minio.stop();
    await removeOwnedBy(docker, processTag());
    await docker.release();
  };
}
