export function nameOf(host: unknown): unknown {
  return typeof host === "object" && host !== null && "name" in host ? host.name : undefined;
}

/** Every text in a structure, however deep. */
export function textsIn(value: unknown): string[] {
  if (typeof value === "string") {
    return [value];
  }
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** Paths as the user typed them. */
export function joined(root: string, path: PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    root,
  );
}

/** In the configuration a connection's settings stand beside the others; where one differs, this names it. */
const connectionNames: Record<string, string> = {
  "connection.attempts": "connectAttempts",
  "connection.attemptTimeoutSeconds": "connectTimeoutSeconds",
};

export function configPath(root: string, path: string): string {
  const name = path === "hostName" ? "name" : (connectionNames[path] ?? path.replace(/^connection\./, ""));
  return `${root}.${name}`;
}
