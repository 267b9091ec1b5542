#!/bin/bash
# The course's partial restore (chapter 10, 4.3): restore-block.sh ARCHIVE PATTERN [OPTION OF TAR...]
systemctl stop prometheus
tar -xzf "$1" --wildcards "$2" -C /var/lib/prometheus/ "${@:3}"
chown -R prometheus:prometheus /var/lib/prometheus
systemctl start prometheus
