import { renderSettings } from "../components/backupJob/confFile";
import { written } from "../scripts/tools/settings/keys";

/** A settings file with everything that `up` writes, these in place of the defaults. */
export function hostConf(own: Record<string, string>): string {
  return renderSettings({ ...Object.fromEntries(written.map(key => [key.name, key.default])), ...own });
}
