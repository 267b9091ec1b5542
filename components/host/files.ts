/** One file on a host, whole. */
export interface HostFile {
  content: string;
  /** Octal, as `install -m` takes it. */
  mode: string;
  /** `user:group`, by name. */
  owner: string;
}

/** Files by their absolute path on the host. */
export type HostFiles = Record<string, HostFile>;

/** A file of root that everybody may read. */
export function publicFile(content: string): HostFile {
  return { content, mode: "0644", owner: "root:root" };
}
