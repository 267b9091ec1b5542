import { AdminApiSettings } from "./adminApi/settings";
import { AlertSettings } from "./alertRules/settings";
import { JobSettings } from "./backupJob/settings";
import { RemoteWriteTarget } from "./remoteWrite/settings";
import { TextfileSettings } from "./textfileDirectory/settings";
import { VictoriaMetricsSettings } from "./victoriaMetrics/settings";

/** Everything that hosts share or set for themselves. */
export interface BackupSettings extends JobSettings {
  /** The server's admin API. */
  adminApi?: AdminApiSettings;
  /** Metrics. */
  textfile?: TextfileSettings;
  /** Alert rules. */
  alerts?: AlertSettings;
  /** A VictoriaMetrics server on the host. Without this none is installed; `{}` takes all defaults. */
  victoriaMetrics?: VictoriaMetricsSettings;
  /** Receivers that get a copy of every new sample. A host's list replaces a shared one as a whole. */
  remoteWrite?: RemoteWriteTarget[];
}
