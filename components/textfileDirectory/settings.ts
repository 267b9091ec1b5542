import type * as pulumi from "@pulumi/pulumi";
import { defaultsOf, flag, secret, table, text } from "../fields/group";
import { filePathCheck, unitCheck, urlCheck } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { HostArgs } from "../host/connection";
import { PrometheusServer } from "../host/server";

/** Metrics of the backup, served by the node_exporter of the host. */
export interface TextfileSettings {
  /** Whether metrics are provided. Defaults to true; without them no alert can work. */
  enabled?: boolean;
  /**
   * Directory of the textfile collector. Defaults to the one that the exporter reads; an exporter that reads none gets
   * `/var/lib/node_exporter/textfile_collector`.
   */
  directory?: string;
  /** The exporter's systemd unit. Defaults to the one that is found on the host. */
  exporterUnit?: string;
  /** Where the exporter answers, as seen from the host. Defaults to `http://127.0.0.1:9100/metrics`. */
  exporterUrl?: string;
  /**
   * curl configuration that gets at an exporter behind a password or a certificate of your own, such as `user =
   * "name:password"` and `cacert = "/etc/node_exporter/ca.pem"`, a line each. Always kept secret; on the host it lies
   * beside the job's credentials.
   */
  exporterCredentials?: pulumi.Input<string>;
}

export const textfileForm = table<TextfileSettings>()({
  enabled: flag({ default: true, says: "without metrics no alert can work" }),
  directory: text({ check: filePathCheck, default: "", says: "what node_exporter is found to read" }),
  exporterUnit: text({ check: unitCheck, default: "", says: "what is found on the host" }),
  exporterUrl: text({ check: urlCheck, default: "http://127.0.0.1:9100/metrics", says: "where node_exporter answers" }),
  exporterCredentials: secret({
    says:
      "name of the secret with a curl configuration for a node_exporter behind TLS or a password: lines " +
      'such as `user = "name:password"` and `cacert = "/etc/node_exporter/ca.pem"`',
  }),
});

export const textfileDefaults = defaultsOf(textfileForm);

/** What is wrong with the textfile settings. */
export function textfileProblems(textfile: TextfileSettings | undefined): Problem[] {
  const found = new Findings();
  found.fields("textfile", textfileForm, textfile);
  return found.problems;
}

/** Arguments of `TextfileDirectory`. */
export interface TextfileDirectoryArgs extends HostArgs {
  /** The server; its user is the one that writes metrics. */
  prometheus?: PrometheusServer;
  /** The directory and the exporter that reads it. */
  textfile?: TextfileSettings;
}
