// Property values as the engine hands them to a provider: secrets come wrapped, unknowns as a marker text.

/** Properties of a resource, still wrapped. */
export type Properties = Record<string, unknown>;

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
/** What a preview has instead of a value that only an update will know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isSecret(value: unknown): boolean {
  return isObject(value) && value[SIGNATURE] === SECRET;
}

export function wrapSecret(value: unknown): Properties {
  return { [SIGNATURE]: SECRET, value };
}

/** A file as an input, with the hash that the engine made of its content; nothing for any other value. */
export function fileAsset(value: unknown): { path: string; hash?: string } | undefined {
  if (!isObject(value) || value[SIGNATURE] !== ASSET || typeof value.path !== "string" || value.path === "") {
    return undefined;
  }
  return { path: value.path, ...(typeof value.hash === "string" && value.hash !== "" ? { hash: value.hash } : {}) };
}

/** The same value with every secret in it laid open, at any depth. */
export function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(unwrap);
  }
  if (!isObject(value)) {
    return value;
  }
  if (isSecret(value)) {
    return unwrap(value.value);
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrap(inner)]));
}

/** True if two values are the same, secret marks included: the engine's own comparison counts them, too. */
export function isSame(left: unknown, right: unknown): boolean {
  return canonical(left) === canonical(right);
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      isObject(inner)
        ? Object.fromEntries(
            Object.entries(inner)
              .filter(([, each]) => each !== undefined && each !== null)
              .sort(([a], [b]) => (a < b ? -1 : 1)),
          )
        : inner,
    ) ?? "undefined"
  );
}

/** The named inputs whose values differ between the state and the new inputs. */
export function changedKeys(keys: readonly string[], olds: Properties, news: Properties): string[] {
  return keys.filter(key => !isSame(olds[key] ?? null, news[key] ?? null));
}

/** Type token of a resource, `aws:s3/bucket:Bucket`, out of its URN. */
export function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").pop() ?? "";
}

/** Name of a resource out of its URN. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
