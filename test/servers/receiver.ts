// Prometheus' own remote_write receiver on a test host, behind a password, as a unit of its own that survives a reboot.
import { quote, waitForPrometheus, type Host } from "../hosts/host";
import { waitUntil } from "../tools/process";

export const receiverUrl = "http://127.0.0.1:9095/api/v1/write";
export const receiverUser = "prom";

/** Passwords of the user, each with its bcrypt hash. */
export const receiverPasswords = {
  "first-password": "$2b$04$abcdefghijklmnopqrstuuT2j8U6U5rBY6aIOMzZiJOWuJPYKLLOe",
  "second-pässword": "$2b$04$abcdefghijklmnopqrstuuxGQ9UZfQk1BS1L8F03So0Qhdr3pE6di",
  [`it's "$(id)" receiver-7391`]: "$2b$04$abcdefghijklmnopqrstuuBi0DAO.c3EHrOA4XUeBSfjvltEy8xy.",
} as const;

const directory = "/srv/receiver";

const unit = `[Unit]
Description=Prometheus that receives what another one sends
[Service]
User=prometheus
ExecStart=BINARY --config.file=${directory}/prometheus.yml --storage.tsdb.path=${directory}/data --web.config.file=${directory}/web.yml --web.listen-address=127.0.0.1:9095 --web.enable-remote-write-receiver
[Install]
WantedBy=multi-user.target
`;

/** Lets in whoever has this password and nobody else; the receiver reads its file at every request. */
export async function acceptPassword(host: Host, password: string): Promise<void> {
  const hash = Object.entries(receiverPasswords).find(([name]) => name === password)?.[1] ?? "";
  await host.writeFile(`${directory}/web.yml`, `basic_auth_users:\n  ${receiverUser}: ${hash}\n`, {
    owner: "prometheus:prometheus",
  });
}

/** Installs and starts it, and waits until it answers. */
export async function startReceiver(host: Host, password: string): Promise<void> {
  await host.run(`install -d -o prometheus ${directory} && echo '{}' >${directory}/prometheus.yml`);
  await acceptPassword(host, password);
  await host.writeFile("/etc/systemd/system/receiver.service", unit.replace("BINARY", host.paths.prometheusBinary));
  await host.run("systemctl daemon-reload && systemctl enable --quiet --now receiver.service");
  await waitForPrometheus(host, 60, `http://${receiverUser}:${encodeURIComponent(password)}@127.0.0.1:9095`);
}

/** Value of an instant query at the receiver, or nothing. */
export async function queryReceiver(host: Host, expression: string, password: string): Promise<number | undefined> {
  const said = await host.run(
    `curl -s --user ${quote(`${receiverUser}:${password}`)} --data-urlencode ${quote(`query=${expression}`)} http://127.0.0.1:9095/api/v1/query`,
  );
  const answer = JSON.parse(said) as { data: { result: { value: [number, string] }[] } };
  const value = answer.data.result[0]?.value[1];
  return value === undefined ? undefined : Number(value);
}

/**
 * Waits until a series has a sample there that is not older than `seconds`. The first batch may have been of another
 * series.
 */
export async function waitForSample(host: Host, selector: string, password: string, seconds = 60): Promise<void> {
  const expression = `time() - timestamp(${selector}) < bool ${seconds}`;
  await waitUntil(
    `the receiver on ${host.name} has ${selector}`,
    90,
    async () => (await queryReceiver(host, expression, password)) === 1,
    1000,
  );
}
