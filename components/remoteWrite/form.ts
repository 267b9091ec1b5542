import {
  choice,
  defaultsOf,
  flag,
  list,
  part,
  required,
  secret,
  table,
  text,
  texts,
  whole,
  words,
} from "../fields/group";
import { both, Check, labelNameCheck, lineCheck } from "../fields/patterns";
import { privateKeyFault } from "../fields/secretText";
import { pemCheck, remoteUrlCheck, targetNameCheck } from "./patterns";
import {
  Arrival,
  RelabelAction,
  RemoteWriteBasicAuth,
  RemoteWritePreset,
  RemoteWriteQueue,
  RemoteWriteTarget,
  RemoteWriteTls,
  WriteRelabelConfig,
} from "./settings";

const notEmpty: Check = value => (value === "" ? "is empty. Fill it in, or leave it out." : undefined);
const filledLine = both(lineCheck, notEmpty);

const basicAuthForm = table<RemoteWriteBasicAuth>()({
  username: required(text({ check: filledLine })),
  password: required(secret()),
});

const tlsForm = table<RemoteWriteTls>()({
  ca: text({ check: pemCheck }),
  certificate: text({ check: pemCheck }),
  key: secret({ fault: () => privateKeyFault }),
  serverName: text({ check: filledLine }),
  insecureSkipVerify: flag(),
});

const queueForm = table<RemoteWriteQueue>()({
  capacity: whole(1, 10_000_000),
  minShards: whole(1, 10_000),
  maxShards: whole(1, 10_000),
  maxSamplesPerSend: whole(1, 1_000_000),
  batchSendDeadlineSeconds: whole(1, 3600),
  maxBackoffSeconds: whole(1, 3600),
  retryOnRateLimit: flag(),
});

export const relabelForm = table<WriteRelabelConfig>()({
  sourceLabels: words({ check: labelNameCheck }),
  separator: text({ check: lineCheck }),
  targetLabel: text({ check: lineCheck }),
  regex: text({ check: lineCheck }),
  modulus: whole(1, 1_000_000_000),
  replacement: text({ check: lineCheck }),
  action: choice(RelabelAction),
});

/** The table of a target. */
export const targetForm = table<RemoteWriteTarget>()({
  name: required(
    text({ check: targetNameCheck, says: "name in metrics and files: lower case letters, digits and `-`" }),
  ),
  preset: choice(RemoteWritePreset, {
    says:
      "`thanos`, `cortex`, `mimir` or `victoriametrics`: adds the path of the endpoint and knows how the " +
      "tenant is told",
  }),
  url: required(
    text({ check: remoteUrlCheck, says: "with a preset the address of the receiver; without one the whole URL" }),
  ),
  tenant: text({
    says:
      "tenant at the receiver: header `THANOS-TENANT` or `X-Scope-OrgID`; for a VictoriaMetrics cluster " +
      "part of the path, such as `0` or `42:7`. Headers are not sent by Debian 12's Prometheus, and are " +
      "refused there",
  }),
  headers: texts({ says: "further HTTP headers; no place for secrets, `prometheus.yml` shows them" }),
  basicAuth: part(basicAuthForm, { says: "`username`, and `password`: name of the secret" }),
  bearerToken: secret({ says: "name of the secret with the token" }),
  tls: part(tlsForm, {
    says: "`ca` and `certificate` as PEM text, `key` (name of the secret), `serverName`, `insecureSkipVerify`",
  }),
  timeoutSeconds: whole(1, 600, { says: "seconds for one request; Prometheus' own default is 30" }),
  queue: part(queueForm, {
    says:
      "`capacity`, `minShards`, `maxShards`, `maxSamplesPerSend`, `batchSendDeadlineSeconds`, " +
      "`maxBackoffSeconds`, `retryOnRateLimit`; what is left out is up to Prometheus",
  }),
  writeRelabelConfigs: list(relabelForm, {
    says:
      "which series are sent, with which labels: a list of `sourceLabels`, `separator`, `targetLabel`, " +
      "`regex`, `modulus`, `replacement`, `action`",
  }),
  sendExemplars: flag({ says: "`true` sends exemplars, too" }),
  sendNativeHistograms: flag({ says: "`true` sends native histograms, too; needs Prometheus 2.40" }),
  arrival: choice(Arrival, {
    default: Arrival.Required,
    says:
      "`required`: after a change samples must arrive, or everything is put back and the step fails. " +
      "`warn`: the target stays, with a warning",
  }),
  arrivalTimeoutSeconds: whole(1, 300, {
    default: 120,
    says: "seconds to wait for them, up to 300; longer than the scrape interval",
  }),
});

export const targetDefaults = defaultsOf(targetForm);
