// Functions of the host command, called one by one in real bash.
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { renderHostCommand } from "../../components/host/programs";

export interface Called {
  code: number | null;
  stdout: string;
  stderr: string;
}

const PRELUDE =
  'source "$PROGRAM"; begin; set_config_defaults; BACKUP_USER="$(id -un)"; SCRATCH="$(mktemp -d -p "${PROGRAM%/*}")"; MANIFEST="$SCRATCH/manifest.json"; SELECTED="$SCRATCH/selected.json"\n';

/** A directory of its own with the joined host command in it. */
export class Shell {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-restore-"));
  readonly program = path.join(this.directory, "prometheus-backup.sh");
  /** Seconds after which what runs is killed, with all that it has started: its code is then null. */
  limit?: number;

  constructor() {
    fs.writeFileSync(this.program, renderHostCommand());
  }

  /** Runs `text` with all functions defined and SCRATCH set. Arguments arrive as $1, $2, … */
  run(text: string, ...values: string[]): Called {
    const words = ["bash", "-c", PRELUDE + text, "test", ...values];
    const limit = this.limit === undefined ? [] : ["timeout", "--signal=KILL", String(this.limit)];
    const [program = "", ...rest] = [...limit, ...words];
    const env = { ...process.env, TMPDIR: this.directory, PROGRAM: this.program };
    const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8", cwd: this.directory, env });
    return { code: status, stdout, stderr };
  }

  /** The same on a terminal of so many columns: everything that it shows. */
  terminal(text: string, columns: number, env: Record<string, string> = {}): string {
    fs.writeFileSync(path.join(this.directory, "terminal.sh"), PRELUDE + text);
    const command = `stty cols ${columns} rows 24; exec bash terminal.sh`;
    const { stdout } = spawnSync("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
      encoding: "utf8",
      cwd: this.directory,
      env: { ...process.env, TMPDIR: this.directory, TERM: "xterm", PROGRAM: this.program, ...env },
    });
    return stdout;
  }

  /** What `text` prints, without the last newline; throws with the errors if it fails. */
  print(text: string, ...values: string[]): string {
    const { code, stdout, stderr } = this.run(text, ...values);
    if (code !== 0) {
      throw new Error(`exit code ${code}: ${stderr}`);
    }
    return stdout.trimEnd();
  }

  /** The tree below `name`: every file and directory, sorted. */
  tree(name: string): string[] {
    return execFileSync("find", [".", "-mindepth", "1"], { cwd: path.join(this.directory, name), encoding: "utf8" })
      .split("\n")
      .filter(Boolean)
      .sort();
  }

  remove(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
