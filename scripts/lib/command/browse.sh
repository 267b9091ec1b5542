# shellcheck shell=bash
# A look into a backup without restoring it: a throw-away server on loopback, gone on Ctrl-C.

# command_browse BACKUP|latest [--from TIME] [--to TIME] [--repository NAME] [--directory DIR]: prints the address and
# serves until it is ended.
command_browse() {
  read_options browse "$@"
  take_scratch_options
  BACKUP_STATE="$STATE_DIR"
  open_state
  load_metrics
  require_tools
  read_unit
  require_server_program
  resolve_backup "$WANTED"
  select_blocks
  require_selected_objects
  choose_drill_place browse
  CLEANUP_HOOKS+=(remove_browsed)
  require_drill_space "$DRILL_PLACE"
  fetch_selected "$DRILL_PLACE"
  start_scratch_server "$DRILL_PLACE" ||
    die "$EXIT_VERIFICATION" "a server does not start on these blocks ($SCRATCH_ERROR)" \
      "prove the backup with: $(as_typed "drill $BACKUP" "$HOST_NAME")"
  say "$(blocks_text ${#B_ULID[@]}) of backup $BACKUP, $(minute_text "${B_MIN[-1]}") to $(minute_text "${B_MAX[0]}") UTC, until you press Ctrl-C:"
  if [[ -z $LOCATION ]]; then say_tunnel; fi
  printf '%s/graph?g0.range_input=2h&g0.end_input=%(%Y-%m-%d %H:%M)T\n' "$SCRATCH_URL" $(( B_MAX[0] / 1000 )) |
    tr ' ' '+'
  wait "$SCRATCH_PID" || true
}

# say_tunnel: the address is that of this host's loopback, and the browser is mostly elsewhere.
say_tunnel() {
  local port=${SCRATCH_URL##*:}
  say "  to open it on your own machine, call there first: ssh -N -L $port:127.0.0.1:$port $HOST_NAME"
}

# remove_browsed: the restored copy goes away.
remove_browsed() { rm -rf -- "$DRILL_PLACE"; }
