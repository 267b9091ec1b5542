/** What may follow a command on the command line. */
export interface CommandOption {
  /** Without the dashes. */
  name: string;
  /** What its value is called; without it, the option stands alone. */
  value?: string;
  /** Whether it may come more than once. */
  again?: boolean;
  /** Another name for it. */
  alias?: string;
  text: string;
}

export interface CommandExample {
  line: string;
  text: string;
}

/** One command of `prometheus-backup.sh`. */
export interface HostCommand {
  name: string;
  /** The one word that it takes, such as a backup; `[...]` means that it may be left out. */
  word?: string;
  /** A line of the overview. */
  summary: string;
  /** What else a person must know. */
  about: string;
  options: readonly CommandOption[];
  examples: readonly CommandExample[];
  /** Called by the product itself, never by people: it stands in no overview. */
  internal?: boolean;
  /** Whether it runs before any settings are read. */
  alone?: boolean;
  /** Whether it works on other machines, with `--at`. */
  anywhere?: boolean;
}

/** Of commands that work on any machine; the entry looks at it before any other option. */
export const at: CommandOption = {
  name: "at",
  value: "PLACE",
  text: "on any machine, with --host: the repository is a directory, or a remote of your rclone. No settings are read",
};

/** What people may type for a time, and what it means. */
export const timeForms: readonly { form: string; text: string }[] = [
  { form: "2026-11-22 02:00", text: "UTC, as all times that are printed; the day alone is its midnight" },
  { form: "2026-11-22T02:00:00+01:00", text: "RFC 3339" },
  { form: "2026-11-22 03:00 Europe/Berlin", text: "in that zone; or with CET, +0100 and so on" },
  { form: "12:00, 'yesterday 12:00', 'last monday'", text: "as GNU date reads them, in UTC" },
  { form: "yesterday", text: "24 hours ago" },
  { form: "2h, 30min, 3d, '2 weeks ago', now", text: "that long before now" },
  { form: "20261122T020000Z", text: "when the backup of that name was taken" },
];

export const json: CommandOption = { name: "json", text: "for programs" };
export const repository: CommandOption = { name: "repository", value: "NAME", text: "only this repository" };
export const host: CommandOption = { name: "host", value: "NAME", text: "the backups of another host (reads only)" };
export const yes: CommandOption = { name: "yes", text: "do not ask" };
export const plan: CommandOption = { name: "plan", alias: "dry-run", text: "print the plan and stop" };
export const from: CommandOption = {
  name: "from",
  value: "TIME",
  text: "only blocks that hold something of this time or later",
};
export const to: CommandOption = {
  name: "to",
  value: "TIME",
  text: "only blocks that hold something before this time",
};
export const directory: CommandOption = {
  name: "directory",
  value: "DIR",
  text: "put the restored copy below DIR, where there is more space",
};
