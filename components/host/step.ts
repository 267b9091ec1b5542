import { Problem } from "../fields/problems";
import { HostArgs, hostProblems, missingHostKey } from "./connection";
import { StepContent } from "./payload";
import { PrometheusServer, serverProblems } from "./server";
import { StepName } from "./stepName";

/** The engine has no time limit of its own. Long enough for packages on a slow line. */
export const stepTimeoutSeconds = 600;

/** What the arguments of every step hold: the host, and the server if the step has to do with one. */
export interface StepArgs extends HostArgs {
  /** The server. */
  prometheus?: PrometheusServer;
}

/** That a step may restart Prometheus, for whoever reads a preview. */
export interface Restart<Args> {
  /** The settings of the step of which a change may lead to it; its first time may, whatever they are. */
  settings: string[];
  /** Whether taking the step back may lead to it. */
  whenRemoved: boolean;
  /** What happens under which condition, in words that are true also where the condition does not hold. */
  says: (args: Args) => string;
}

/** A step as a value: what decides it, without the resource that carries it to a host. */
export interface Step<Args> {
  name: StepName;
  /** What is wrong with its own arguments; host and server are checked for every step. */
  problems: (args: Args) => Problem[];
  /** What the host is told, once every leaf of the arguments is known. */
  content: (args: Args) => StepContent;
  /** Seconds that it may take, where that is not the usual time. */
  timeoutSeconds?: (args: Args) => number;
  /** Only where it may restart Prometheus. */
  restart?: Restart<Args>;
}

/** Everything that is wrong with the arguments of a step. */
export function stepProblems<Args extends StepArgs>(step: Step<Args>, args: Args): Problem[] {
  return [
    ...hostProblems(args),
    ...serverProblems(args.prometheus),
    ...step.problems(args),
    ...missingHostKey(args.connection),
  ];
}
