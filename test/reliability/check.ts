// What a fault is judged by. The same checks, on the same facts, for both candidates.
import type { Candidate, Ran } from "./candidates";
import type { Stage, StageOptions } from "./stage";

/** One thing that must hold. */
export interface Check {
  ok: boolean;
  /** What was seen, in a few words. */
  seen: string;
  /** Data are lost, or a loss is called a success, if it does not hold. */
  vital?: boolean;
}

export interface Fault {
  id: string;
  /** What is done to the candidate. */
  fault: string;
  /** What must come out of it. */
  required: string;
  stage?: StageOptions;
  try(stage: Stage, candidate: Candidate, equipment: Equipment): Promise<Check[]>;
}

/** What some faults need beside the host. */
export interface Equipment {
  /** Blocks of which the newest lie in the future. */
  future: () => Promise<Buffer>;
  /** A server on the machine that answers like Prometheus, with this name for a snapshot; returns its URL. */
  hostileServer: (stage: Stage, snapshotName: string) => Promise<string>;
}

/** A run that cannot succeed ends by itself, red. */
export function fails(ran: Ran, vital = true): Check {
  const after = `after ${Math.max(1, Math.round(ran.seconds))} s`;
  const seen =
    ran.code === 124
      ? `never ends (stopped ${after})`
      : ran.code === 0
        ? "exit code 0"
        : `exit code ${ran.code} ${after}`;
  return { ok: ran.code !== 0 && ran.code !== 124, seen, vital };
}

export function succeeds(ran: Ran, what: string): Check {
  return { ok: ran.code === 0, seen: ran.code === 0 ? `${what} works` : `${what}: exit code ${ran.code}`, vital: true };
}

/** An alert can see at once that this run failed. */
export async function alerted(candidate: Candidate, ran: Ran): Promise<Check> {
  const ok = ran.code !== 0 && (await candidate.metrics()).get("last_exit_code") === ran.code;
  return { ok, seen: ok ? "the metric says so" : "no metric says so" };
}

/** Nothing that looks like a backup is less than one. */
export async function noHalfBackup(candidate: Candidate): Promise<Check> {
  const half = (await candidate.stored()).filter(({ whole }) => !whole).length;
  return {
    ok: half === 0,
    seen: half === 0 ? "no half backup" : `${half} half backup${half > 1 ? "s" : ""} under a good name`,
    vital: true,
  };
}

export async function noSnapshot(stage: Stage): Promise<Check> {
  const left = (await stage.snapshots()).length;
  return {
    ok: left === 0,
    seen: left === 0 ? "no snapshot left" : `${left} snapshot${left > 1 ? "s" : ""} left in the TSDB`,
  };
}

/** The server serves as many samples of the history as it should. */
export async function serves(stage: Stage, samples: number, seconds = 60): Promise<Check> {
  let now = 0;
  for (let waited = 0; waited < seconds; waited += 3) {
    now = await stage.samples();
    if (now === samples) {
      return { ok: true, seen: "every sample is served", vital: true };
    }
    await new Promise(resolve => setTimeout(resolve, 3000));
  }
  return {
    ok: false,
    seen: now === 0 ? "nothing is served" : `${Math.floor((100 * now) / samples)} % of the samples are served`,
    vital: true,
  };
}
