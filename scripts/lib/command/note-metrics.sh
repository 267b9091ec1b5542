# shellcheck shell=bash
# note-metrics: root hands metrics over to the backup user, whose files it does not touch.

# command_note_metrics NAME VALUE [LABEL=VALUE]: the inside of note_metrics.
command_note_metrics() {
  open_state
  load_metrics
  set_metric "$@"
  store_metrics || true
}
