# shellcheck shell=bash
# The settings of a host, each with its form. Written by `npm run settings` from the tables of fields in components/.

# What may stand in the file; of repositories see load_repositories.
readonly CONFIG_KEYS=(
  HOST_NAME ENVIRONMENT BACKUP_USER API_CURL_CONFIG HEARTBEAT_URL_FILE SKIP_HEAD EXPECTED_INTERVAL_SECONDS
  DRILL_INTERVAL_SECONDS DURATION_LIMIT_SECONDS ADMIN_API_EXPOSURE RUN_CALENDAR DRILL_CALENDAR REPOSITORY_COUNT
  PROMETHEUS_URL PROMETHEUS_UNIT DATA_DIR NEW_HOST READY_TIMEOUT_SECONDS SCHEDULER SOURCE FORMAT ARCHIVE_COMPRESSION
  KEEP_DAYS KEEP_LAST KEEP_HOURLY KEEP_DAILY KEEP_WEEKLY KEEP_MONTHLY KEEP_YEARLY KEEP_MINIMUM ORPHAN_GRACE_HOURS
  SHRINK_PERCENT COMPANIONS PARALLEL COMPRESSION_LEVEL BANDWIDTH_LIMIT NICE IONICE_CLASS IONICE_LEVEL
  SNAPSHOT_TIMEOUT_SECONDS TRANSFER_TIMEOUT_SECONDS API_TIMEOUT_SECONDS TEXTFILE_DIR STATE_DIR RCLONE_CONFIG_FILE
  IDLE_TIMEOUT_SECONDS
)

# set_config_defaults: what holds where the file does not say it.
set_config_defaults() {
  HOST_NAME=""
  ENVIRONMENT=""
  BACKUP_USER=prometheus
  API_CURL_CONFIG=""
  HEARTBEAT_URL_FILE=""
  SKIP_HEAD=false
  EXPECTED_INTERVAL_SECONDS=86400
  DRILL_INTERVAL_SECONDS=""
  DURATION_LIMIT_SECONDS=""
  ADMIN_API_EXPOSURE=loopback
  RUN_CALENDAR=""
  DRILL_CALENDAR=""
  REPOSITORY_COUNT=0
  PROMETHEUS_URL='http://127.0.0.1:9090'
  PROMETHEUS_UNIT=prometheus.service
  DATA_DIR=""
  NEW_HOST=false
  READY_TIMEOUT_SECONDS=900
  SCHEDULER=cron
  SOURCE=snapshot
  FORMAT=blocks
  ARCHIVE_COMPRESSION=gzip
  KEEP_DAYS=""
  KEEP_LAST=""
  KEEP_HOURLY=""
  KEEP_DAILY=""
  KEEP_WEEKLY=""
  KEEP_MONTHLY=""
  KEEP_YEARLY=""
  KEEP_MINIMUM=3
  ORPHAN_GRACE_HOURS=48
  SHRINK_PERCENT=50
  COMPANIONS=true
  PARALLEL=2
  COMPRESSION_LEVEL=2
  BANDWIDTH_LIMIT=""
  NICE=10
  IONICE_CLASS=2
  IONICE_LEVEL=7
  SNAPSHOT_TIMEOUT_SECONDS=3600
  TRANSFER_TIMEOUT_SECONDS=7200
  API_TIMEOUT_SECONDS=10
  TEXTFILE_DIR=""
  STATE_DIR=/var/lib/prometheus-backup
  RCLONE_CONFIG_FILE=/etc/prometheus-backup/rclone.conf
  IDLE_TIMEOUT_SECONDS=60
}

# check_config_forms: adds one line to CONFIG_PROBLEMS for each value that has a wrong form.
check_config_forms() {
  require_host HOST_NAME
  require_choice SKIP_HEAD true false
  require_whole EXPECTED_INTERVAL_SECONDS
  require_optional_whole DRILL_INTERVAL_SECONDS
  require_optional_whole DURATION_LIMIT_SECONDS
  require_choice ADMIN_API_EXPOSURE loopback reverse-proxy accept-public
  require_whole REPOSITORY_COUNT
  require_url PROMETHEUS_URL
  require_optional_path DATA_DIR
  require_choice NEW_HOST true false
  require_whole READY_TIMEOUT_SECONDS
  require_choice SCHEDULER cron systemd
  require_choice SOURCE snapshot hot cold
  require_choice FORMAT blocks archive
  require_choice ARCHIVE_COMPRESSION gzip zstd
  require_optional_count KEEP_DAYS
  require_optional_count KEEP_LAST
  require_optional_count KEEP_HOURLY
  require_optional_count KEEP_DAILY
  require_optional_count KEEP_WEEKLY
  require_optional_count KEEP_MONTHLY
  require_optional_count KEEP_YEARLY
  require_whole KEEP_MINIMUM
  require_whole ORPHAN_GRACE_HOURS
  require_whole SHRINK_PERCENT
  require_choice COMPANIONS true false
  require_whole PARALLEL
  require_whole COMPRESSION_LEVEL
  require_whole NICE
  require_whole IONICE_CLASS
  require_whole IONICE_LEVEL
  require_whole SNAPSHOT_TIMEOUT_SECONDS
  require_whole TRANSFER_TIMEOUT_SECONDS
  require_whole API_TIMEOUT_SECONDS
  require_optional_path TEXTFILE_DIR
  require_path STATE_DIR
  require_whole IDLE_TIMEOUT_SECONDS
}
