// A site whose one repository is what the components render for a plan: for kinds that are not a path or S3.
import { renderRclone, repositoryLocation, type RepositoryPlan } from "../../components/backupJob/rclone";
import type { Setting } from "./setting";
import { Site } from "./site";

export async function createRemoteSite(
  setting: Setting,
  name: string,
  prometheusUrl: string,
  plan: RepositoryPlan,
): Promise<Site> {
  const file = `/srv/sites/${name}/rclone-${plan.name}.conf`;
  await setting.host.writeFile(file, renderRclone([plan]));
  const { type, location } = repositoryLocation(plan);
  return Site.create(setting, {
    name,
    prometheusUrl,
    repositories: ["local"],
    settings: {
      REPOSITORY_1_NAME: plan.name,
      REPOSITORY_1_TYPE: type,
      REPOSITORY_1_LOCATION: location,
      RCLONE_CONFIG_FILE: file,
      SKIP_HEAD: "true",
    },
  });
}
