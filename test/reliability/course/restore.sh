#!/bin/bash
# The course's restore (chapter 10, 4.1), command after command: restore.sh ARCHIVE [OPTION OF TAR...]
systemctl stop prometheus
mv /var/lib/prometheus /var/lib/prometheus.old
mkdir -p /var/lib/prometheus
tar -xzf "$1" -C /var/lib/prometheus/ "${@:2}"
chown -R prometheus:prometheus /var/lib/prometheus
systemctl start prometheus
systemctl status prometheus
