// Receivers of `remote_write` on a test host, and how they are asked back. All without a tenant: the Prometheus of
// these hosts would not send one.
import { readFileSync } from "node:fs";
import type { RemoteWriteTargetPlan } from "../../components/remoteWrite/plan";
import type { Host } from "../hosts/host";
import { ensureReceiver, type Receiver } from "../tools/receivers";
import { waitUntil } from "../tools/process";

/** How one receiver is run and asked. */
export interface ReceiverKind {
  name: Receiver;
  /** Address for `remoteWrite[].url`, and the whole URL that the preset makes of it. */
  url: string;
  endpoint: string;
  /** Answers once it takes samples. */
  ready: string;
  /** Base of an API like Prometheus' own. */
  api: string;
  /** Labels that the receiver itself adds. */
  labels: Record<string, string>;
  /** Command lines of its processes, by name of their units. */
  units: Record<string, string>;
}

export const receiverKinds: ReceiverKind[] = [
  {
    name: "thanos",
    url: "http://127.0.0.1:19291",
    endpoint: "http://127.0.0.1:19291/api/v1/receive",
    ready: "http://127.0.0.1:10902/-/ready",
    api: "http://127.0.0.1:10904/api/v1",
    labels: { receive: "here", tenant_id: "default-tenant" },
    units: {
      "thanos-receive": `receive --tsdb.path=/srv/thanos '--label=receive="here"' --remote-write.address=127.0.0.1:19291 --grpc-address=127.0.0.1:10901 --http-address=127.0.0.1:10902 --receive.capnproto-address=127.0.0.1:19391`,
      "thanos-query": "query --endpoint=127.0.0.1:10901 --grpc-address=127.0.0.1:10903 --http-address=127.0.0.1:10904",
    },
  },
  {
    name: "cortex",
    url: "http://127.0.0.1:9009",
    endpoint: "http://127.0.0.1:9009/api/v1/push",
    ready: "http://127.0.0.1:9009/ready",
    api: "http://127.0.0.1:9009/prometheus/api/v1",
    labels: {},
    units: {
      // What takes samples in and answers queries, as one process; nothing is old enough for the store gateway.
      cortex:
        "-target=distributor,ingester,querier -auth.enabled=false -server.http-listen-address=127.0.0.1 -server.http-listen-port=9009 -server.grpc-listen-address=127.0.0.1 -server.grpc-listen-port=9095 -ring.store=inmemory -distributor.replication-factor=1 -ingester.lifecycler.addr=127.0.0.1 -ingester.join-after=0s -ingester.min-ready-duration=0s -querier.store-gateway-addresses=127.0.0.1:9095 -blocks-storage.backend=filesystem -blocks-storage.filesystem.dir=/srv/cortex/blocks -blocks-storage.tsdb.dir=/srv/cortex/tsdb -blocks-storage.bucket-store.sync-dir=/srv/cortex/sync",
    },
  },
];

/** Installs and starts it, and waits until it takes samples and answers. */
export async function startReceiver(host: Host, kind: ReceiverKind): Promise<void> {
  const program = `/usr/local/bin/${kind.name}`;
  await host.writeFile(program, readFileSync(await ensureReceiver(kind.name)), { mode: "0755" });
  for (const [unit, flags] of Object.entries(kind.units)) {
    await host.run(`systemd-run --quiet --unit ${unit} ${program} ${flags}`);
  }
  const answers = `curl -fsS ${kind.ready} && curl -fsS ${kind.api}/labels`;
  await waitUntil(`${kind.name} answers`, 120, async () => (await host.exec(answers)).code === 0, 1000).catch(
    async (error: unknown) => {
      throw new Error(
        `${String(error)}\n${await host.run(
          `journalctl -n 20 --no-pager ${Object.keys(kind.units)
            .map(unit => `-u ${unit}`)
            .join(" ")}`,
        )}`,
      );
    },
  );
}

/** A target as the component makes it from preset and address. */
export function target(kind: ReceiverKind): RemoteWriteTargetPlan {
  return {
    name: kind.name,
    preset: kind.name,
    url: kind.url,
    headers: {},
    hasBearerToken: false,
    queue: {},
    relabel: [],
    arrival: "required",
    arrivalTimeoutSeconds: 120,
  };
}
