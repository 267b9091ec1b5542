// Manifests that tests write themselves.
import { createHash } from "node:crypto";

/** The text of a manifest with the digest that belongs to it, as docs/format.md has it: of its one-line form with sorted keys. */
export function sealed(manifest: object): string {
  const { digest: _old, ...content } = manifest as Record<string, unknown>;
  const canonical = JSON.stringify(sorted(content));
  const digest = createHash("sha256").update(`${canonical}\n`).digest("hex");
  return `{"digest":"${digest}",${canonical.slice(1)}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]));
}
