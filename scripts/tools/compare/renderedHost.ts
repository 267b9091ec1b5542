import * as fs from "fs";
import * as path from "path";
import { HostArtefacts } from "../../../components/stack/hostFiles";
import { StepName } from "../../../components/host/stepName";
import { paths } from "../../../components/host/paths";

/** What a step is told, and the files that it brings. */
export interface RenderedStep {
  settings: Record<string, string | string[]>;
  files: string[];
}

/** What a render says of one host beside its files: which step brings which file, and what else it is told. */
export interface RenderedHost {
  /** In the order in which they run. */
  steps: Record<string, RenderedStep>;
  /** Whether there is a step for credentials, which runs whenever the programs change. */
  hasCredentials: boolean;
}

/** The part of it that `npm run compare` needs, for a file beside the host's tree. */
export function renderedHost(host: HostArtefacts): RenderedHost {
  const steps = Object.entries(host.steps).map(([name, content]) => {
    const files = [...Object.keys(content.files ?? {}), ...Object.keys(content.carried ?? {})].sort();
    return [name, { settings: content.settings, files }] as const;
  });
  return {
    steps: Object.fromEntries(steps),
    hasCredentials: `${paths.steps}/${StepName.credentials}.sh` in host.files,
  };
}

/** One host as a render wrote it. */
export interface HostTree extends RenderedHost {
  /** Text of every file by absolute path. */
  files: Map<string, string>;
}

/** All hosts of a render, by name. */
export function readRender(directory: string): Map<string, HostTree> {
  const names = fs
    .readdirSync(directory)
    .filter(name => name.endsWith(".json"))
    .map(name => name.slice(0, -".json".length));
  return new Map(
    names.map(name => [
      name,
      {
        ...(JSON.parse(fs.readFileSync(path.join(directory, `${name}.json`), "utf8")) as RenderedHost),
        files: readTree(path.join(directory, name)),
      },
    ]),
  );
}

function readTree(root: string): Map<string, string> {
  const entries = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  return new Map(
    entries
      .map(entry => path.join(entry.parentPath, entry.name))
      .sort()
      .map(file => [file.slice(root.length), fs.readFileSync(file, "utf8")]),
  );
}
