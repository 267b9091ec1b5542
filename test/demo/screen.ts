// The demo's terminal: one line a step with its time, a moving line below while a step is under way.

const WIDTH = 80;
const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/** Without a terminal nothing moves, so what is under way for so long is said in a line of its own. */
const SAID_AFTER_MS = 5000;
const LONGEST_WAIT_MS = 15_000;

/** A step that did not work, with everything that helps to see why. */
export class StepFailed extends Error {
  constructor(
    readonly title: string,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

export class Screen {
  private readonly isTerminal = process.stdout.isTTY;
  private readonly hasColour = this.isTerminal && process.env.NO_COLOR === undefined;
  private timer: NodeJS.Timeout | undefined;
  private doing = "";
  private doingSince = 0;
  private isSaid = false;
  private isStopped = false;
  private underWay: Promise<unknown> = Promise.resolve();

  line(text = ""): void {
    this.clear();
    process.stdout.write(`${text}\n`);
  }

  /** A fact below the step that brought it. */
  detail(text: string): void {
    this.line(`      ${text}`);
  }

  /** Does `work` and says with its result what was achieved. `title` is what stands there until then. */
  async step(title: string, work: () => Promise<string>): Promise<void> {
    const start = Date.now();
    this.begin(title);
    const working = work();
    this.underWay = working;
    const outcome = await working.then(
      text => ({ text }),
      (error: unknown) => ({ error }),
    );
    if (this.isStopped) {
      // Whoever stopped the story cleans up now; what comes after this step must not begin.
      return new Promise<never>(() => undefined);
    }
    this.end();
    if ("error" in outcome) {
      throw new StepFailed(title, outcome.error);
    }
    this.line(this.row(this.colour("✔", 32), outcome.text, start));
  }

  /** No further step begins. Resolves when the one under way is over, whatever came of it, or after some seconds. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.end();
    const limit = new Promise(resolve => setTimeout(resolve, LONGEST_WAIT_MS).unref());
    await Promise.race([this.underWay.catch(() => undefined), limit]);
  }

  /** What the step under way does just now. */
  progress(text: string): void {
    this.doing = text;
    this.doingSince = Date.now();
    this.isSaid = false;
  }

  failed(failure: StepFailed): void {
    this.end();
    this.line(`  ${this.colour("✘", 31)} ${failure.title}`);
    this.line();
    for (const line of failure.message.trimEnd().split("\n")) {
      this.detail(line);
    }
    this.line();
  }

  private begin(title: string): void {
    this.progress(title);
    this.isSaid = !this.isTerminal;
    this.timer = setInterval(() => this.tick(), this.isTerminal ? 100 : 500);
  }

  private tick(): void {
    const passed = Date.now() - this.doingSince;
    if (this.isTerminal) {
      const frame = FRAMES[Math.floor(Date.now() / 100) % FRAMES.length] ?? "";
      const seconds = `${Math.floor(passed / 1000)} s`;
      this.clear();
      process.stdout.write(
        `  ${frame} ${shorten(this.doing, (process.stdout.columns || WIDTH) - seconds.length - 8)} ${seconds}`,
      );
    } else if (!this.isSaid && passed > SAID_AFTER_MS) {
      this.isSaid = true;
      process.stdout.write(`      ${this.doing} …\n`);
    }
  }

  private end(): void {
    clearInterval(this.timer);
    this.clear();
  }

  private clear(): void {
    if (this.isTerminal) {
      process.stdout.write("\r\u001b[K");
    }
  }

  private row(mark: string, text: string, start: number): string {
    const seconds = `${Math.max(1, Math.round((Date.now() - start) / 1000))} s`;
    return `  ${mark} ${text.padEnd(WIDTH - 5 - seconds.length)} ${seconds}`;
  }

  private colour(text: string, code: number): string {
    return this.hasColour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`;
}

/** Exact, with commas: 3702114 is `3,702,114`. */
export function exact(value: number): string {
  return value.toLocaleString("en-US");
}

/** For people, in powers of ten: 3702114 is `3.7 M`. */
export function rounded(value: number): string {
  const units: [number, string][] = [
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"],
  ];
  const [size, unit] = units.find(([least]) => value >= least) ?? [1, " "];
  return `${size === 1 ? value : (value / size).toFixed(1)}${unit}`;
}
