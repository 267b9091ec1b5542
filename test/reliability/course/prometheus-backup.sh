#!/bin/bash
# The course's script (chapter 10, 2.4 and 6.1), as it stands there but for the messages: the peer that faults are tried
# on.
# shellcheck disable=SC2181

PROMETHEUS_URL="http://localhost:9090"
BACKUP_DIR="/backup/prometheus"
RETENTION_DAYS=30

mkdir -p "$BACKUP_DIR"

echo "$(date): snapshot ..."
SNAPSHOT_RESPONSE=$(curl -s -XPOST "$PROMETHEUS_URL/api/v1/admin/tsdb/snapshot")
SNAPSHOT_NAME=$(echo "$SNAPSHOT_RESPONSE" | jq -r '.data.name')

if [ "$SNAPSHOT_NAME" == "null" ] || [ -z "$SNAPSHOT_NAME" ]; then
    echo "$(date): ERROR - no snapshot"
    echo "Response: $SNAPSHOT_RESPONSE"
    exit 1
fi

echo "$(date): snapshot $SNAPSHOT_NAME"

BACKUP_FILE="$BACKUP_DIR/prometheus-backup-$(date +%Y%m%d-%H%M%S).tar.gz"
echo "$(date): writing $BACKUP_FILE ..."

tar -czf "$BACKUP_FILE" -C /var/lib/prometheus/snapshots/ "$SNAPSHOT_NAME/"

if [ $? -eq 0 ]; then
    echo "$(date): written: $BACKUP_FILE"

    rm -rf "/var/lib/prometheus/snapshots/$SNAPSHOT_NAME"
    echo "$(date): snapshot removed"

    find "$BACKUP_DIR" -name "prometheus-backup-*.tar.gz" -mtime +$RETENTION_DAYS -delete
    echo "$(date): backups older than $RETENTION_DAYS days removed"

    echo "$(date): done"
else
    echo "$(date): ERROR - backup failed"
    exit 1
fi

TEXTFILE_DIR="/var/lib/node_exporter/textfile_collector"
if [ -d "$TEXTFILE_DIR" ]; then
    {
        echo "# HELP prometheus_backup_last_success_timestamp_seconds Last successful backup timestamp"
        echo "# TYPE prometheus_backup_last_success_timestamp_seconds gauge"
        echo "prometheus_backup_last_success_timestamp_seconds $(date +%s)"

        echo "# HELP prometheus_backup_last_duration_seconds Duration of last backup in seconds"
        echo "# TYPE prometheus_backup_last_duration_seconds gauge"
        echo "prometheus_backup_last_duration_seconds $SECONDS"
    } > "$TEXTFILE_DIR/prometheus_backup.prom.$$"
    mv "$TEXTFILE_DIR/prometheus_backup.prom.$$" "$TEXTFILE_DIR/prometheus_backup.prom"
fi
