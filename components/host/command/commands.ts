import { directory, from, host, HostCommand, json, plan, repository, to, yes } from "./forms";

const NEEDED = "BACKUP|latest";
const OPTIONAL = "[BACKUP|latest]";

/** The one list of commands; parser, help, completion, man page and docs/commands.md are made from it. */
export const hostCommands: readonly HostCommand[] = [
  {
    name: "run",
    summary: "take a backup now; what the schedule calls",
    about:
      "Sends what the repositories lack, writes the manifest last, and then removes what retention does not keep. " +
      "What is called without a command and without a terminal is a run, too.",
    options: [
      { name: "accept-smaller", text: "a server that lost most of its samples is right like that" },
      {
        name: "accept-loss",
        value: "ULID[,ULID...]",
        again: true,
        text: "these blocks, which a run called lost, may be gone",
      },
      { name: "pin", text: "keep this backup whatever retention says" },
      { name: "note", value: "TEXT", text: "why it was taken; list and show say it" },
      { name: "take-over", text: "this machine replaces the one that owned the prefix" },
    ],
    examples: [
      { line: "run", text: "a backup now" },
      { line: "run --pin --note 'before the upgrade'", text: "a backup to come back to" },
      { line: "run --accept-smaller", text: "after series were deleted on purpose" },
    ],
  },
  {
    name: "list",
    summary: "backups of this host in every repository",
    anywhere: true,
    about:
      "Newest first, one line for each repository that has it (WHERE). Columns that do not fit the terminal are left " +
      "out; --json has all of them.",
    options: [
      { name: "last", value: "N", text: "only the newest N backups" },
      { name: "since", value: "TIME", text: "only backups that were taken at that time or later" },
      json,
      repository,
      host,
    ],
    examples: [
      { line: "list --last 5", text: "the five newest" },
      { line: "list --since yesterday --repository offsite --json", text: "one repository, for a program" },
    ],
  },
  {
    name: "show",
    word: OPTIONAL,
    summary: "what one backup holds",
    anywhere: true,
    about:
      "What it covers, what it misses, its blocks, and whether it is complete in each repository; --json prints its " +
      "manifest.",
    options: [json, repository, host],
    examples: [
      { line: "show latest", text: "the newest backup that can be trusted" },
      { line: "show 20261122T020000Z --json | jq .coverage", text: "a part of its manifest" },
    ],
  },
  {
    name: "restore",
    word: NEEDED,
    summary: "bring the data back; says what will happen and asks first",
    anywhere: true,
    about:
      "Prints a plan, asks, downloads while the server runs, stops it for the switch only, and puts the old data " +
      "back if anything fails. With --at it needs --target.",
    options: [
      plan,
      yes,
      { ...json, text: "the plan for programs, with --plan" },
      { ...from, text: `${from.text}; with --target or --merge` },
      { ...to, text: `${to.text}; with --target or --merge` },
      { name: "block", value: "ULID", again: true, text: "only this block; with --target or --merge" },
      { name: "target", value: "DIR", text: "into a new or empty directory; no server is touched" },
      { name: "merge", text: "into the running server, without a restart" },
      host,
      repository,
      { name: "allow-retention-loss", text: "even if the server's retention will delete some of it again" },
    ],
    examples: [
      { line: "restore latest --plan", text: "what would happen; nothing is touched" },
      {
        line: "restore latest --merge --from '6h' --to '2h'",
        text: "four hours that are missing, into the running server",
      },
    ],
  },
  {
    name: "verify",
    word: OPTIONAL,
    summary: "checksums of every object of a backup",
    anywhere: true,
    about:
      "Reads every object of the backup where it lies and compares checksums. Here latest, the default, is the newest " +
      "in each repository, suspect or not.",
    options: [{ name: "sample", value: "N/T", text: "only the N-th of T parts" }, json, repository],
    examples: [
      { line: "verify", text: "the newest backup in every repository" },
      { line: "verify latest --sample 2/7 --repository offsite", text: "a seventh of it, in one repository" },
    ],
  },
  {
    name: "drill",
    word: OPTIONAL,
    anywhere: true,
    summary: "restore to scratch, boot a throw-away Prometheus, compare every block",
    about: "The proof that a backup comes back: a server on loopback counts the samples of every block.",
    options: [
      { name: "sample", value: "N/T", text: "only the N-th of T parts of the blocks; T alone: the next part in turn" },
      json,
      repository,
      directory,
    ],
    examples: [
      { line: "drill", text: "the newest backup, whole" },
      { line: "drill latest --sample 7 --directory /srv/scratch", text: "a seventh of its blocks, on another disk" },
    ],
  },
  {
    name: "browse",
    word: OPTIONAL,
    summary: "look into a backup through a throw-away Prometheus",
    anywhere: true,
    about:
      "Serves a backup, or a part of it, on loopback until Ctrl-C; nothing is restored. It prints the `ssh -L` for your own machine.",
    options: [from, to, repository, directory],
    examples: [
      { line: "browse latest", text: "the newest backup" },
      { line: "browse latest --from yesterday", text: "only its last blocks, which takes less time" },
    ],
  },
  {
    name: "companions",
    word: NEEDED,
    summary: "prometheus.yml, rules and so on, as they were",
    anywhere: true,
    about:
      "The files that travel with a backup: lists them, or puts them below DIR in the tree they had, and says how " +
      "they differ from those in force.",
    options: [{ name: "target", value: "DIR", text: "into a new or empty directory" }, repository, host],
    examples: [
      { line: "companions latest", text: "which files there are" },
      { line: "companions latest --target /root/companions", text: "the files, and how they differ" },
    ],
  },
  {
    name: "export",
    word: NEEDED,
    summary: "blocks for the bucket of Thanos",
    anywhere: true,
    about:
      "Puts the blocks of a backup into DIR, checked, with the meta.json that `thanos tools bucket upload-blocks` " +
      "takes. No server is touched.",
    options: [
      { name: "thanos", value: "DIR", text: "a new or empty directory" },
      {
        name: "label",
        value: "NAME=VALUE",
        again: true,
        text:
          "an external label beside those that the backup recorded, or another value; an empty value leaves a " +
          "recorded one out",
      },
      from,
      to,
      host,
      repository,
      { name: "with-deleted", text: "even if deleted series come back: Thanos reads no tombstones" },
    ],
    examples: [
      { line: "export latest --thanos /srv/thanos", text: "all its blocks" },
      {
        line: "export latest --thanos /srv/thanos --label replica=a --from 2026-11-01",
        text: "from a day on, with a label",
      },
    ],
  },
  {
    name: "heal",
    summary: "bring back just the damaged or missing blocks of the live server",
    about: "From the newest backup that has them. The damaged ones are kept beside.",
    options: [
      plan,
      yes,
      { name: "quick", text: "compare sizes, not contents" },
      { ...json, text: "for programs, with --plan or --yes" },
      repository,
    ],
    examples: [
      { line: "heal --plan", text: "what is damaged, and what would come back" },
      { line: "heal --yes", text: "without the question" },
    ],
  },
  {
    name: "prune",
    summary: "remove what retention does not keep",
    about: "And objects that no kept backup names. Shows it first and asks.",
    options: [{ name: "dry-run", text: "show it and stop" }, yes, json, repository],
    examples: [
      { line: "prune --dry-run", text: "what would go" },
      { line: "prune --repository local", text: "one repository" },
    ],
  },
  {
    name: "pin",
    word: NEEDED,
    summary: "keep one backup whatever retention says",
    about: "In every repository that has it.",
    options: [],
    examples: [
      { line: "pin latest", text: "the newest backup that can be trusted" },
      { line: "pin 20261122T02", text: "by the beginning of its name" },
    ],
  },
  {
    name: "unpin",
    word: NEEDED,
    summary: "let a pinned backup go again",
    about: "Retention decides about it from the next run on.",
    options: [],
    examples: [
      { line: "unpin 20261122T020000Z", text: "by its name" },
      { line: "unpin 20261122T02", text: "by the beginning of its name" },
    ],
  },
  {
    name: "hold",
    summary: "set new blocks aside for the next run; what the schedule calls between runs",
    about:
      "Links new two-hour blocks aside until the next run, which sends them instead of what the server merges from " +
      "them. Silent when there is nothing new.",
    options: [],
    examples: [
      { line: "hold", text: "what the schedule calls every hour where runs are more than two hours apart" },
      { line: "status", text: "where the host stands" },
    ],
  },
  {
    name: "check",
    summary: "prove the whole chain without taking a backup",
    about:
      "Settings, tools, schedule, server, space, a probe object in each repository, metrics, alert rules and the " +
      "Alertmanager that would tell somebody. Ends with the code of the first that failed, after all were tried.",
    options: [
      json,
      {
        name: "repositories",
        text:
          "only whether each repository can be written, read and deleted in, and the server be asked with its " +
          "credentials: what `pulumi up` asks",
      },
    ],
    examples: [
      { line: "check", text: "after a change, or after an alert" },
      { line: "explain 8", text: "what its exit code means" },
    ],
  },
  {
    name: "status",
    summary: "whether this host is protected, the last and the next run, the server",
    about:
      "The verdict first, then what it is taken from: what this host has noted of its runs and repositories, and " +
      "whether the server and each repository answer now. They are asked side by side, and one from which nothing " +
      "comes for 20 seconds does not answer. It ends with 0 whatever the verdict; check ends with what is wrong.",
    options: [json],
    examples: [
      { line: "status", text: "where the host stands" },
      { line: "status --json | jq .metrics", text: "for a program" },
    ],
  },
  {
    name: "explain",
    word: "[CODE]",
    summary: "what an exit code means, and what to do",
    alone: true,
    about: "Without a code: all of them.",
    options: [],
    examples: [
      { line: "explain 8", text: "the code of a run that could not reach a repository" },
      { line: "explain", text: "all codes" },
    ],
  },
  {
    name: "bootstrap",
    word: NEEDED,
    summary: "what bootstrapFrom calls on a new host",
    internal: true,
    about:
      "Restores a server that has no finished block, running or never started, and starts it; once, and never again " +
      "on this host.",
    options: [host, repository],
    examples: [
      { line: "bootstrap latest --host prom-old", text: "the newest backup of another host" },
      { line: "bootstrap latest", text: "of the host that had this name before" },
    ],
  },
];
