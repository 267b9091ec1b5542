# shellcheck shell=bash
# Words for --help, and for calls that make no sense.

# usage_error TEXT: ends with 2.
usage_error() {
  die "$EXIT_USAGE" "$1" "see: prometheus-backup.sh ${COMMAND:-} --help"
}

# take_backup WORD: sets WANTED, the one backup that a command takes.
take_backup() {
  if [[ -n $WANTED ]]; then usage_error "$COMMAND takes one backup, not '$WANTED' and '$1'"; fi
  WANTED=$1
}

# print_help COMMAND: its help on standard output; the overview for anything else.
print_help() {
  case "$1" in
    list) printf 'prometheus-backup.sh list [--json] [--repository NAME] [--host NAME]\n  Backups in every repository, newest first.\n' ;;
    show) printf 'prometheus-backup.sh show BACKUP|latest [--json] [--repository NAME] [--host NAME]\n  What one backup holds; --json prints its manifest.\n' ;;
    verify) printf 'prometheus-backup.sh verify [BACKUP|latest] [--sample N/T] [--repository NAME]\n  Reads every object of the backup where it lies and compares checksums. --sample 2/7 reads the second of seven parts.\n' ;;
    prune) printf 'prometheus-backup.sh prune [--dry-run] [--yes] [--repository NAME]\n  Removes what retention does not keep, and objects that no kept backup names. Shows it first and asks.\n' ;;
    pin | unpin) printf 'prometheus-backup.sh pin|unpin BACKUP\n  Keeps one backup whatever retention says, or lets it go again.\n' ;;
    check) printf 'prometheus-backup.sh check\n  Proves the whole chain without taking a backup.\n' ;;
    status) printf 'prometheus-backup.sh status [--json]\n  The server, the last runs, leftover snapshots.\n' ;;
    run) printf 'prometheus-backup.sh [run] [--accept-smaller] [--accept-loss ULID[,ULID...]] [--take-over]\n  Takes a backup now; what cron calls. --accept-smaller: a server that lost most of its samples is right like that.\n  --accept-loss: these blocks, which a run called lost, may be gone.\n  --take-over: this machine replaces the one that owned the prefix.\n' ;;
    restore) print_restore_help ;;
    drill) printf 'prometheus-backup.sh drill [BACKUP|latest] [--sample N/T | --sample T] [--repository NAME] [--directory DIR]\n  Restores to scratch (or below DIR), boots a throw-away Prometheus on loopback and counts the samples of every block.\n  --sample 2/7: only the second of seven parts of the blocks; --sample 7: the next of seven parts, in turn.\n' ;;
    hold) printf 'prometheus-backup.sh hold\n  Links new two-hour blocks aside until the next run, which sends them instead of what the server merges from them; what\n  cron calls every hour where runs are more than two hours apart. Silent when there is nothing new.\n' ;;
    browse) printf 'prometheus-backup.sh browse BACKUP|latest [--from TIME] [--to TIME] [--repository NAME] [--directory DIR]\n  Serves a backup, or a part of it, on loopback until Ctrl-C; nothing is restored.\n' ;;
    heal) printf 'prometheus-backup.sh heal [--plan] [--yes] [--quick] [--repository NAME]\n  Brings back just the damaged or missing blocks of the live server. --quick compares sizes, not contents.\n' ;;
    export) print_export_help ;;
    bootstrap) printf 'prometheus-backup.sh bootstrap BACKUP|latest [--host NAME] [--repository NAME]\n  What bootstrapFrom calls: restores a server that has no finished block, running or never started, and starts it; once, and never again on this host.\n' ;;
    companions) printf 'prometheus-backup.sh companions BACKUP|latest [--target DIR] [--repository NAME] [--host NAME]\n  prometheus.yml, rules and the other files that travel with a backup: lists them, or puts them below DIR (new or empty)\n  in the tree they had, and says how they differ from those in force.\n' ;;
    *) print_overview ;;
  esac
}

# print_overview: every command in one line.
print_overview() {
  cat <<'TEXT'
prometheus-backup.sh [COMMAND]: backs up and restores the Prometheus server of this host.

  [run]                     take a backup now; what cron calls
  list [--json]             backups of this host in every repository
  show BACKUP [--json]      what one backup holds
  restore BACKUP|latest     bring the data back; says what will happen and asks first
  verify [BACKUP|latest]    checksums of every object of a backup
  drill [BACKUP|latest]     restore to scratch, boot a throw-away Prometheus, compare every block
  browse BACKUP             look into a backup through a throw-away Prometheus
  companions BACKUP         prometheus.yml, rules and so on, as they were
  export BACKUP             blocks for the bucket of Thanos
  heal                      bring back just the damaged or missing blocks of the live server
  prune [--dry-run]         remove what retention does not keep
  pin|unpin BACKUP          keep one backup whatever retention says
  hold                      set new blocks aside for the next run; what cron calls between runs
  check                     prove the whole chain without taking a backup
  status [--json]           the server, the last runs, leftover snapshots

On any other machine, with access to a repository: --at DIR-OR-RCLONE-REMOTE --host NAME, for list, show, verify, drill,
browse, export, companions, and restore --target. No settings are read.

BACKUP is a name such as 20261122T020000Z. COMMAND --help tells more. Exit codes: 0 done, 2 usage, 3 configuration,
4 server unreachable, 5 admin API off, 6 snapshot failed, 7 no space, 8 repository, 9 verification, 10 locked,
11 not found, 12 refused for safety.
TEXT
}

# print_restore_help: the most important one at 3 a.m.
print_restore_help() {
  cat <<'TEXT'
prometheus-backup.sh restore BACKUP|latest [OPTION...]
  Prints a plan, asks, downloads while the server runs, stops it for the switch only, and puts the old data back if
  anything fails.

  --plan              print the plan and stop
  --yes               do not ask
  --from T, --to T    only blocks of that time (RFC 3339, or "2h ago"); with --target or --merge
  --block ULID        only this block (again for more); with --target or --merge
  --target DIR        into a new or empty directory; no server is touched
  --merge             into the running server, without a restart
  --host NAME         another host's backup (reads only)
  --repository NAME   from this repository
  --at PLACE --host NAME   on any machine: the repository is a directory, or a remote of your rclone (with --target)
  --allow-retention-loss   even if the server's retention will delete some of it again
TEXT
}

# print_export_help: the way out to Thanos.
print_export_help() {
  cat <<'TEXT'
prometheus-backup.sh export BACKUP|latest --thanos DIR [OPTION...]
  Puts the blocks of a backup into DIR, checked, with the meta.json that `thanos tools bucket upload-blocks` takes.
  No server is touched.

  --thanos DIR        a new or empty directory
  --label NAME=VALUE  an external label beside those that the backup recorded, or another value (again for more);
                      an empty value leaves a recorded one out
  --from T, --to T    only blocks of that time (RFC 3339, or "2h ago")
  --host NAME         another host's backup (reads only)
  --repository NAME   from this repository
  --with-deleted      even if deleted series come back: Thanos reads no tombstones
TEXT
}
