// Test equipment: stands in for Pulumi's official plugin `aws` 7.48.0 where that cannot be downloaded.
// It knows the few resource types that this project makes and does them with real calls to the S3 server of the test
// (AWS_ENDPOINT_URL_S3), never to AWS. Unknown types and unknown inputs are errors. What the server does not implement
// is recorded in the state like the rest, with a warning that says so. Nothing is ever read back.
import { randomBytes } from "node:crypto";
import { IAMClient } from "@aws-sdk/client-iam";
import { S3Client } from "@aws-sdk/client-s3";
import type { provider } from "@pulumi/pulumi";
import { warn } from "../engineLog";
import { changedKeys, isObject, nameOf, typeOf, UNKNOWN, unwrap, type Properties } from "../values";
import { NotDone, RESOURCES, type Clients, type ResourceType } from "./resources";

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

export const awsProvider: provider.Provider = {
  version: "7.48.0",
  check: (urn, olds: Properties, news: Properties) => asPromise(() => check(urn, olds, news)),
  diff: (_id, urn, olds: Properties, news: Properties) => asPromise(() => diff(urn, olds, news)),
  create,
  update,
  delete: remove,
};

/** The provider interface wants promises where there is nothing to wait for; what throws must reject. */
async function asPromise<T>(work: () => T): Promise<T> {
  return Promise.resolve(work());
}

function resourceType(urn: string): ResourceType {
  const known = RESOURCES[typeOf(urn)];
  if (known === undefined) {
    throw new Error(
      `the stand-in for the aws plugin does not know ${typeOf(urn)}; it has ${Object.keys(RESOURCES).join(", ")}`,
    );
  }
  return known;
}

function check(urn: string, olds: Properties, news: Properties): provider.CheckResult {
  const type = resourceType(urn);
  const given = Object.keys(news).filter(key => news[key] !== undefined && news[key] !== null);
  const unknown = given.filter(key => !type.inputs.includes(key));
  const missing = type.required.filter(key => !given.includes(key));
  return {
    inputs: withName(urn, type, olds, news),
    failures: [
      ...unknown.map(property => ({ property, reason: `is unknown to the stand-in for ${typeOf(urn)}` })),
      ...missing.map(property => ({ property, reason: "is required" })),
    ],
  };
}

/**
 * Officially, too, a missing name is made of the resource's name and seven random characters, and kept from then on.
 */
function withName(urn: string, type: ResourceType, olds: Properties, news: Properties): Properties {
  const key = ["bucket", "name"].find(
    candidate => type.inputs.includes(candidate) && !type.required.includes(candidate),
  );
  if (key === undefined || news[key] !== undefined) {
    return news;
  }
  const prefix = unwrap(news[`${key}Prefix`]);
  const made = `${typeof prefix === "string" ? prefix : `${nameOf(urn)}-`}${randomBytes(4).toString("hex").slice(0, 7)}`;
  return { ...news, [key]: olds[key] ?? made };
}

function diff(urn: string, olds: Properties, news: Properties): provider.DiffResult {
  const type = resourceType(urn);
  const changed = changedKeys(type.inputs, olds, news);
  return {
    changes: changed.length > 0,
    replaces: changed.filter(key => type.replacing.includes(key)),
    deleteBeforeReplace: false,
  };
}

async function create(urn: string, inputs: Properties): Promise<provider.CreateResult> {
  const type = resourceType(urn);
  const plain = laidOpen(inputs);
  await attempt(urn, () => (type.create ?? type.put)(clients(), plain));
  return { id: type.id(plain), outs: { ...inputs, ...type.outputs?.(plain) } };
}

async function update(_id: string, urn: string, _olds: Properties, news: Properties): Promise<provider.UpdateResult> {
  const type = resourceType(urn);
  const plain = laidOpen(news);
  await attempt(urn, () => type.put(clients(), plain));
  return { outs: { ...news, ...type.outputs?.(plain) } };
}

async function remove(_id: string, urn: string, props: Properties): Promise<void> {
  const type = resourceType(urn);
  const plain = laidOpen(Object.fromEntries(type.inputs.map(key => [key, props[key]])));
  await attempt(urn, () => type.remove?.(clients(), plain) ?? Promise.resolve());
}

function laidOpen(inputs: Properties): Properties {
  const plain = unwrap(inputs);
  if (!isObject(plain) || JSON.stringify(plain).includes(UNKNOWN)) {
    throw new Error("an input has no value yet");
  }
  return plain;
}

/** Does the calls; what the test's server has no notion of becomes a warning. */
async function attempt(urn: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error) || !isNotImplemented(error)) {
      throw error;
    }
    await warn(urn, `recorded, but the server of this test does not do it: ${error.message}`);
  }
}

function isNotImplemented(error: Error): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return error instanceof NotDone || error.name === "NotImplemented" || status === 501;
}

function clients(): Clients {
  const endpoint = process.env.AWS_ENDPOINT_URL_S3;
  if (endpoint === undefined || endpoint === "") {
    throw new Error("AWS_ENDPOINT_URL_S3 names no server; the stand-in for the aws plugin never talks to AWS itself");
  }
  const region = process.env.AWS_REGION ?? "us-east-1";
  const iamEndpoint = process.env.AWS_ENDPOINT_URL_IAM;
  return {
    s3: new S3Client({ endpoint, region, forcePathStyle: true }),
    iam: iamEndpoint === undefined || iamEndpoint === "" ? undefined : new IAMClient({ endpoint: iamEndpoint, region }),
  };
}
