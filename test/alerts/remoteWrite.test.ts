import { expect, test } from "vitest";
import { alertRules } from "../../components/alertRules/rules";
import { alertRulesPlan, centralAlertRulesPlan } from "../../components/alertRules/step";
import { firing, HOUR, MINUTE, Series } from "./promtool";

const hour = { at: HOUR, step: MINUTE };
const plan = alertRulesPlan("prom-a", {}, {}, ["long-term", "copy"]).rules;
const isOurs = (name: string): boolean => name.includes("RemoteWrite");

const labels = '{instance="a:9090",job="prometheus",remote_name="long-term",url="http://x"}';
const failed = `prometheus_remote_storage_samples_failed_total${labels}`;
const sent = `prometheus_remote_storage_queue_highest_sent_timestamp_seconds${labels}`;

// A sample of every series a minute.
test.each<[string, Series, string[]]>([
  ["a healthy target", { [failed]: "7x70", [sent]: "0+60x70" }, []],
  ["a few samples that were refused once", { [failed]: "0x30 5x40", [sent]: "0+60x70" }, []],
  ["a target that refuses samples", { [failed]: "0+5x70", [sent]: "0+60x70" }, ["PrometheusBackupRemoteWriteFailing"]],
  [
    "a receiver that is down for a quarter of an hour",
    { [failed]: "0x70", [sent]: "0+60x40 2400x30" },
    ["PrometheusBackupRemoteWriteBehind"],
  ],
  ["a receiver that is down for five minutes", { [failed]: "0x70", [sent]: "0+60x55 3300x15" }, []],
  ["a target that never got anything", { [failed]: "0x70", [sent]: "0x70" }, ["PrometheusBackupRemoteWriteBehind"]],
  [
    "a target of somebody else",
    { [failed.replace("long-term", "theirs")]: "0+5x70", [sent.replace("long-term", "theirs")]: "0x70" },
    [],
  ],
  ["a server without the metrics", { 'up{instance="a:9090",job="prometheus"}': "1x70" }, []],
])("%s", (_what, series, alerts) => {
  expect(firing(plan, { series, ...hour }).filter(isOurs)).toEqual(alerts);
});

test("only hosts with targets have the rules, and a server that watches many has those for the targets of all", () => {
  const names = (targets: string[]): string[] =>
    alertRules(alertRulesPlan("prom-a", {}, {}, targets).rules)
      .map(rule => rule.alert)
      .filter(isOurs);
  expect(names(["copy"])).toEqual(["PrometheusBackupRemoteWriteFailing", "PrometheusBackupRemoteWriteBehind"]);
  expect(names([])).toEqual([]);
  const others = alertRulesPlan("prom-b", {}, {}, ["copy", "cloud"]).rules;
  const none = alertRulesPlan("prom-c", {}, {}).rules;
  expect(centralAlertRulesPlan([plan, others, none]).remoteWriteTargets).toEqual(["long-term", "copy", "cloud"]);
  expect(centralAlertRulesPlan([none]).remoteWriteTargets).toBeUndefined();
});
