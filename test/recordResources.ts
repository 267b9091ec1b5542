import * as pulumi from "@pulumi/pulumi";

/** One resource as the engine would have got it. */
export interface Recorded {
  type: string;
  name: string;
  /** Inputs with secrets unwrapped. */
  inputs: Record<string, unknown>;
  /** Top-level inputs that hold a secret somewhere. */
  secretInputs: string[];
  protect: boolean;
  retainOnDelete: boolean;
  /** Names of the resources that it waits for. */
  dependsOn: string[];
}

/** Everything that a program registered. */
export interface Recording {
  all: Recorded[];
  /** The one resource of this name, and of this type where a component and its main child share a name. */
  named: (name: string, type?: string) => Recorded;
}

/** What of a registration the recorder reads; the mocks of the SDK do not pass it on. */
interface Request {
  getType(): string;
  getName(): string;
  getProtect(): boolean;
  getRetainondelete(): boolean;
  getDependenciesList(): string[];
}

interface Monitor {
  registerResource(request: Request, callback: (error: unknown, answer: unknown) => void): Promise<void>;
}

const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const signatureKey = "4dabf18193072939515e22adb298388d";

function isSecret(value: unknown): value is { value: unknown } {
  return (
    typeof value === "object" && value !== null && (value as Record<string, unknown>)[signatureKey] === secretSignature
  );
}

/** The value without its wrappings, and whether there was one. */
function unwrap(value: unknown): { value: unknown; secret: boolean } {
  if (isSecret(value)) {
    return { value: unwrap(value.value).value, secret: true };
  }
  if (Array.isArray(value)) {
    const items = value.map(unwrap);
    return { value: items.map(item => item.value), secret: items.some(item => item.secret) };
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [key, unwrap(item)] as const);
    return {
      value: Object.fromEntries(entries.map(([key, item]) => [key, item.value])),
      secret: entries.some(([, item]) => item.secret),
    };
  }
  return { value, secret: false };
}

const known =
  /^(prometheus-backup:index:[A-Za-z]+|command:remote:(Command|CopyToRemote)|aws:s3\/bucket[A-Za-z]*:Bucket[A-Za-z]*|aws:iam\/rolePolicy:RolePolicy)$/;

/** What the provider would have added. */
function outputs(type: string, inputs: Record<string, unknown>): Record<string, unknown> {
  if (type === "aws:s3/bucket:Bucket") {
    return { ...inputs, arn: `arn:aws:s3:::${String(unwrap(inputs["bucket"]).value)}` };
  }
  return type === "command:remote:Command" ? { ...inputs, stdout: "installed", stderr: "" } : inputs;
}

/** Runs a program against mocks and returns what it registered. With `preview`, no output of a resource is known. */
export async function recordResources(make: () => unknown, preview = false): Promise<Recording> {
  const all: Recorded[] = [];
  // The SDK waits for ever after a failed registration, so the failure is raced against the end.
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  await pulumi.runtime.setMocks(
    {
      call: ({ token }) => {
        throw new Error(`nothing should call ${token}`);
      },
      newResource: ({ type, name, inputs }) => {
        if (!known.test(type)) {
          const error = new Error(`no resource of type ${type} is expected`);
          fail(error);
          throw error;
        }
        const plain = Object.entries(inputs as Record<string, unknown>).map(
          ([key, value]) => [key, unwrap(value)] as const,
        );
        all.push({
          type,
          name,
          inputs: Object.fromEntries(plain.map(([key, { value }]) => [key, value])),
          secretInputs: plain.filter(([, { secret }]) => secret).map(([key]) => key),
          protect: false,
          retainOnDelete: false,
          dependsOn: [],
        });
        return { id: preview ? undefined : `${name}-id`, state: outputs(type, inputs as Record<string, unknown>) };
      },
    },
    "prometheus-backup",
    "test",
    preview,
  );
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = async (request, callback) => {
    await register(request, callback);
    const recorded = all.find(({ type, name }) => type === request.getType() && name === request.getName());
    if (recorded) {
      recorded.protect = request.getProtect();
      recorded.retainOnDelete = request.getRetainondelete();
      recorded.dependsOn = request
        .getDependenciesList()
        .map(urn => urn.split("::").at(-1) ?? urn)
        .sort();
    }
  };
  await make();
  await Promise.race([pulumi.runtime.disconnect(), failed]);
  return {
    all,
    named: (name, type) => {
      const found = all.filter(resource => resource.name === name && (type === undefined || resource.type === type));
      if (found.length !== 1 || !found[0]) {
        throw new Error(
          `${found.length} resources are named ${name}; there are ${all.map(resource => resource.name).join(", ")}`,
        );
      }
      return found[0];
    },
  };
}

/** The value of an output; waiting for it is what makes an assertion on it count. */
export function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    output.apply(value => resolve(value));
    setTimeout(() => reject(new Error("the output has no value")), 5000).unref();
  });
}
