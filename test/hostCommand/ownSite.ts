// A server whose unit stays when it is stopped, and a site that backs it up to a directory: for the sources that need
// no admin API.
import { lines, startOwnServer, type OwnServer, type OwnServerOptions } from "./server";
import type { Setting } from "./setting";
import { Site } from "./site";

export const COLD = { SOURCE: "cold", BACKUP_USER: "root" };

export interface OwnSite {
  server: OwnServer;
  site: Site;
}

export async function startOwnSite(
  setting: Setting,
  options: OwnServerOptions & { settings: Record<string, string> },
): Promise<OwnSite> {
  const server = await startOwnServer(setting.host, { lasting: true, adminApi: false, ...options });
  const settings = { PROMETHEUS_UNIT: `${server.unit}.service`, ...options.settings };
  const site = await Site.create(setting, {
    name: options.name,
    prometheusUrl: server.url,
    repositories: ["local"],
    settings,
  });
  return { server, site };
}

/** Folders of hard links that runs have in the data directory, or have left there. */
export const stages = async ({ server, site }: OwnSite): Promise<string[]> =>
  lines(await site.host.run(`cd ${server.dataDirectory} && ls -d *backup* 2>/dev/null || true`));

/** What pkill finds the guardian of a cold run by. */
export const guardianOf = (site: Site): string => `[r]ecover --after-cold .*${site.stateDirectory}/`;
