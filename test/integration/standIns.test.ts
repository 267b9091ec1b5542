import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
} from "@aws-sdk/client-s3";
import * as aws from "@pulumi/aws";
import * as command from "@pulumi/command";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startHost, type Host } from "../hosts/host";
import { sharedMinio, type Minio } from "../servers/minio";
import { createTestStack, type TestStack } from "./harness";
import { slowDescribe, slowTest } from "../runner/pace";

// What the other integration tests take for granted: the engine, the plugins, a host and an S3 server work together.
let host: Host;
let minio: Minio;
beforeAll(async () => {
  host = await startHost({ name: "stand-ins" });
  minio = await sharedMinio();
});
afterAll(async () => {
  await host?.stop();
  await minio?.stop();
});

function greeting(stdin: string, texts: { create?: string; delete?: string } = {}) {
  return async () => {
    const file = new command.remote.Command("greeting", {
      connection: {
        ...{ host: host.sshHost, port: host.sshPort, user: host.user, dialErrorLimit: 1 },
        ...{ privateKey: host.privateKey, hostKey: host.hostKey },
      },
      create: texts.create ?? "sudo -n tee /etc/greeting",
      update: texts.create ?? "sudo -n tee /etc/greeting",
      delete: texts.delete ?? "sudo -n rm -f /etc/greeting </dev/null",
      stdin,
      addPreviousOutputInEnv: false,
    });
    return Promise.resolve({ written: file.stdout });
  };
}

slowDescribe("a command on a real host", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await createTestStack({ program: greeting("hello\nworld\n") });
  });
  afterAll(() => stack?.remove());

  test("is run once, and not again while nothing changes", async () => {
    const first = await stack.up();
    expect(await host.readFile("/etc/greeting")).toBe("hello\nworld\n");
    expect([first.changes, first.outputs.written?.value]).toEqual([{ create: 2 }, "hello\nworld"]);
    const second = await stack.up();
    expect([second.changes, second.dials]).toEqual([{ same: 2 }, []]);
  });

  test("shows a changed line in the preview and contacts nobody for it", async () => {
    stack.setProgram(greeting("hello\nmoon\n"));
    const preview = await stack.preview();
    expect(preview.output).toMatch(/- world\n\s+\+ moon\n/);
    expect(preview.dials).toEqual([]);
    expect(await host.readFile("/etc/greeting")).toBe("hello\nworld\n");
  });

  test("that fails is named with its words, and runs again next time", async () => {
    stack.setProgram(greeting("hello\nmoon\n", { create: "echo prometheus-backup: error: no >&2; exit 5" }));
    const failed = await stack.tryUp();
    expect(failed.ok).toBe(false);
    expect(failed.output).toContain("Process exited with status 5");
    expect(failed.output).toContain("prometheus-backup: error: no");
    stack.setProgram(greeting("hello\nmoon\n"));
    await stack.up();
    expect(await host.readFile("/etc/greeting")).toBe("hello\nmoon\n");
  });

  test("is undone by destroy", async () => {
    await stack.destroy();
    expect((await host.exec("ls /etc/greeting")).code).toBe(2);
  });
});

slowTest("a bucket with what belongs to it is made, changed and removed on a real S3 server", async () => {
  const program = (days: number) => async () => {
    const bucket = new aws.s3.Bucket("offsite", { bucket: "stand-in-test" });
    new aws.s3.BucketPublicAccessBlock("closed", { bucket: bucket.bucket, blockPublicAcls: true });
    const versioning = new aws.s3.BucketVersioning("versions", {
      bucket: bucket.bucket,
      versioningConfiguration: { status: "Enabled" },
    });
    const rule = {
      id: "old",
      status: "Enabled",
      filter: { prefix: "" },
      noncurrentVersionExpiration: { noncurrentDays: days },
    };
    new aws.s3.BucketLifecycleConfiguration(
      "lifecycle",
      { bucket: bucket.bucket, rules: [rule] },
      { dependsOn: versioning },
    );
    return Promise.resolve({ arn: bucket.arn });
  };
  const stack = await createTestStack({ program: program(30), environment: minio.environment });
  const client = minio.client();
  const lifecycleDays = async () =>
    (await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: "stand-in-test" }))).Rules?.[0]
      ?.NoncurrentVersionExpiration?.NoncurrentDays;
  expect((await stack.up()).outputs.arn?.value).toBe("arn:aws:s3:::stand-in-test");
  expect((await client.send(new GetBucketVersioningCommand({ Bucket: "stand-in-test" }))).Status).toBe("Enabled");
  expect([await lifecycleDays(), (await stack.up()).changes]).toEqual([30, { same: 5 }]);
  stack.setProgram(program(10));
  expect([(await stack.up()).changes, await lifecycleDays()]).toEqual([{ same: 4, update: 1 }, 10]);
  await stack.destroy();
  await expect(client.send(new HeadBucketCommand({ Bucket: "stand-in-test" }))).rejects.toThrow();
  stack.remove();
});
