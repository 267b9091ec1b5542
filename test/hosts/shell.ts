// Long-lived shells in a container, for many short commands: each start of `docker exec` costs a tenth of a second of
// CPU time.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { Socket } from "node:net";
import type { Finished } from "../tools/process";
import { timed } from "../tools/waits";
import type { Docker } from "./docker";

export interface ShellOptions {
  input?: string | Buffer;
  /** Defaults to root. */
  user?: string;
  /** The shell is given up after so many seconds. Defaults to 600. */
  timeoutSeconds?: number;
}

/**
 * What runs in the container: reads "bytes of the command, bytes of its input" and these, runs the command in a session
 * of its own as `docker exec` does, and answers "exit code, bytes of output, bytes of error output" and these. Each
 * command has new files, because children that it leaves behind may still write to the old ones.
 */
const AGENT = `
room="$(mktemp -d -p /dev/shm)" || exit
trap 'rm -rf -- "$room"' EXIT
number=0
while IFS=' ' read -r command_bytes input_bytes; do
  number=$(( number + 1 ))
  answer="$room/$number"
  LC_ALL=C IFS= read -r -d '' -N "$command_bytes" command
  if (( input_bytes > 0 )); then
    head -c "$input_bytes" >"$answer.in"
    cat -- "$answer.in" | setsid bash -c "$command" >"$answer.out" 2>"$answer.err"
    code=\${PIPESTATUS[1]}
  else
    setsid bash -c "$command" </dev/null >"$answer.out" 2>"$answer.err"
    code=$?
  fi
  { read -r out; read -r err; } < <(stat --format %s -- "$answer.out" "$answer.err")
  printf '%d %d %d\\n' "$code" "$out" "$err"
  if (( out > 0 )); then head -c "$out" -- "$answer.out"; fi
  if (( err > 0 )); then head -c "$err" -- "$answer.err"; fi
  rm -f -- "$answer".*
done
`;

/** All shells of one container that this process has. */
export class Shells {
  private readonly idle = new Map<string, Shell[]>();

  constructor(
    private readonly docker: Docker,
    private readonly container: string,
  ) {}

  /**
   * Runs a command with `bash -c`, whatever its exit code. Commands that run at the same time get shells of their own.
   */
  async run(
    command: string,
    { input = "", user = "root", timeoutSeconds = 600 }: ShellOptions = {},
  ): Promise<Finished> {
    const waiting = this.idle.get(user) ?? [];
    this.idle.set(user, waiting);
    const shell = waiting.pop() ?? this.open(user);
    const finished = await timed(nameOf(command), () => shell.run(command, Buffer.from(input), timeoutSeconds));
    if (shell.isAlive()) {
      waiting.push(shell);
    }
    return finished;
  }

  private open(user: string): Shell {
    const forget = (shell: Shell): void => {
      this.idle.set(
        user,
        (this.idle.get(user) ?? []).filter(other => other !== shell),
      );
    };
    return new Shell(
      this.docker.spawn(["exec", "--interactive", "--user", user, this.container, "bash", "-c", AGENT]),
      forget,
    );
  }
}

/** For the times at the end of a run: the host command by its first word, everything else together. */
function nameOf(command: string): string {
  const [, word] = /prometheus-backup\.sh ([a-z]+)/.exec(command) ?? [];
  return word === undefined ? "other commands on hosts" : `prometheus-backup.sh ${word}`;
}

interface Pending {
  resolve(finished: Finished): void;
  reject(error: Error): void;
}

class Shell {
  private received = Buffer.alloc(0);
  private complaints = "";
  private pending: Pending | undefined;
  private ended = false;

  constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    onEnd: (shell: Shell) => void,
  ) {
    child.stdout.on("data", (piece: Buffer) => this.take(piece));
    child.stderr.on("data", (piece: Buffer) => (this.complaints += piece.toString()));
    // Of a shell that has ended; its end is told by "close".
    child.stdin.on("error", () => undefined);
    child.on("error", error => this.pending?.reject(error));
    child.on("close", (code, signal) => {
      this.ended = true;
      onEnd(this);
      // As of a `docker exec` whose container dies, or cannot be entered.
      this.pending?.resolve({ code: code ?? (signal === null ? 1 : 137), stdout: "", stderr: this.complaints });
    });
    this.keepProcess(false);
  }

  isAlive(): boolean {
    return !this.ended;
  }

  run(command: string, input: Buffer, timeoutSeconds: number): Promise<Finished> {
    this.keepProcess(true);
    const text = Buffer.from(command);
    const late = setTimeout(() => {
      this.pending?.reject(new Error(`not finished after ${timeoutSeconds} s: ${command}`));
      this.ended = true;
      this.child.kill("SIGKILL");
    }, timeoutSeconds * 1000);
    return new Promise<Finished>((resolve, reject) => {
      this.pending = { resolve, reject };
      this.child.stdin.write(Buffer.concat([Buffer.from(`${text.length} ${input.length}\n`), text, input]));
    }).finally(() => {
      clearTimeout(late);
      this.pending = undefined;
      this.keepProcess(false);
    });
  }

  private take(piece: Buffer): void {
    this.received = Buffer.concat([this.received, piece]);
    const end = this.received.indexOf("\n");
    if (end === -1) {
      return;
    }
    const [code = 0, out = 0, err = 0] = this.received.subarray(0, end).toString().split(" ").map(Number);
    const body = this.received.subarray(end + 1);
    if (body.length >= out + err) {
      this.received = Buffer.alloc(0);
      this.pending?.resolve({
        code,
        stdout: body.subarray(0, out).toString(),
        stderr: body.subarray(out, out + err).toString(),
      });
    }
  }

  /** An idle shell keeps no process from ending; it ends with this process, by the end of its input. */
  private keepProcess(kept: boolean): void {
    const pipes = [this.child.stdin, this.child.stdout, this.child.stderr] as unknown as Socket[];
    for (const each of [this.child, ...pipes]) {
      if (kept) {
        each.ref();
      } else {
        each.unref();
      }
    }
  }
}
