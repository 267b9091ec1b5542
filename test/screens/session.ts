// What people type, one after another, and what they should look at on the screen that follows.

export type Role = "newcomer" | "reviewer" | "operator";

export interface Step {
  role: Role;
  /** What one wants: the heading of the screen. */
  want: string;
  /** As it is typed, with the prompt. */
  typed: string;
  /** One sentence. */
  look: string;
  /** What happens before, in the shell of the host. */
  before?: string;
  /** Its lines may come in another order, since repositories are worked on side by side. */
  sideBySide?: boolean;
}

/** A step with what stands below the typed line. */
export interface Screen extends Step {
  text: string;
}

/** Where the local repository of the session's host lies. */
export const LOCAL = "/backup/prometheus";

const operator = (want: string, words: string, look: string, more: Partial<Step> = {}): Step => ({
  role: "operator",
  want,
  typed: `# prometheus-backup.sh ${words}`.trimEnd(),
  look,
  ...more,
});

export const operatorSession: Step[] = [
  operator("What can I do here?", "", "Called bare, the command shows what there is, and does nothing."),
  operator(
    "Take a backup now",
    "run",
    "New blocks are sent, known ones lie there already. The log has a line of its own for each of these.",
    { sideBySide: true },
  ),
  operator("Is everything all right?", "status", "The first line is the verdict."),
  operator("Which backups are there?", "list", "The newest stands first; each repository has a line of its own."),
  operator("What is in the newest one?", "show latest", "Below are its blocks with the time that each one covers."),
  operator(
    "Would the next run work, and would somebody be told if not?",
    "check",
    "A `!` is something to think about, a `✘` a fault.",
  ),
  operator("Is the backup whole?", "verify latest", "Every repository is read back and compared with the manifest."),
  operator(
    "What would a restore do?",
    "restore latest --plan",
    "`covers` and `misses` are what you will have and what you will not.",
  ),
  operator(
    "Does it really come back?",
    "drill latest",
    "The time at the end is what a restore to a server that answers has taken.",
  ),
  operator("What would be deleted?", "prune --dry-run", "Each backup has the reason for which it stays or goes."),
  operator("A typing mistake", "lst", "The nearest command is named."),
  operator("A run while a disk is away", "run", "The error names the repository; the other one gets its backup.", {
    before: `mv ${LOCAL} ${LOCAL}.away`,
    sideBySide: true,
  }),
  operator("What does its exit code mean?", "explain 8", "The same as in [exit-codes.md](exit-codes.md)."),
  operator("And now?", "status", "The verdict has changed, and the line of the repository says why."),
];
