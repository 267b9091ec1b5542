# shellcheck shell=bash
# Constants of the host command: exit codes (docs/exit-codes.md), patterns that names from outside must match, fixed
# paths.

readonly TOOL_VERSION=1.0.0
# What runs write; every earlier one is read.
readonly MANIFEST_FORMAT=2
# What a manifest may have, packed or not, before anything reads it: a thousand blocks take about one megabyte, in which
# there are some 45,000 values. For jq, a value of two bytes may take four hundred.
readonly MANIFEST_LIMIT_BYTES=$((16 * 1024 * 1024))
readonly MANIFEST_LIMIT_VALUES=1000000

readonly EXIT_UNEXPECTED=1
readonly EXIT_USAGE=2
readonly EXIT_CONFIGURATION=3
readonly EXIT_SERVER=4
readonly EXIT_ADMIN_API=5
readonly EXIT_SNAPSHOT=6
readonly EXIT_SPACE=7
readonly EXIT_REPOSITORY=8
readonly EXIT_VERIFICATION=9
readonly EXIT_LOCKED=10
readonly EXIT_NOT_FOUND=11
readonly EXIT_REFUSED=12

# Fixed length since Prometheus 2.23; older names are refused with the version.
readonly SNAPSHOT_PATTERN='^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}$'
readonly ULID_PATTERN='^[0-7][0-9A-HJKMNP-TV-Z]{25}$'
readonly BACKUP_PATTERN='^[0-9]{8}T[0-9]{6}Z$'
# What a name may be the rest of.
readonly BACKUP_PREFIX_PATTERN='^([0-9]{1,8}|[0-9]{8}T[0-9]{0,6}|[0-9]{8}T[0-9]{6}Z)$'
readonly HOST_PATTERN='^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$'
readonly REPOSITORY_PATTERN='^[a-z][a-z0-9-]{0,31}$'
readonly SHA256_PATTERN='^[0-9a-f]{64}$'
# The checksum of no bytes at all: an object that did not come is not damaged.
readonly NOTHING_SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
# Object names as the repository format allows them; nothing else is ever read, written or deleted.
readonly OBJECT_NAMES='blocks/[0-9A-HJKMNP-TV-Z]{26}(\.r[0-9]{8}T[0-9]{6}Z)?\.tar\.zst|heads/[0-9]{8}T[0-9]{6}Z(-wal)?\.tar\.zst|archives/prometheus-backup-[0-9]{8}-[0-9]{6}\.tar\.(gz|zst)|companions/[0-9a-f]{64}\.tar\.zst|backups/[0-9]{8}T[0-9]{6}Z\.json|pins/[0-9]{8}T[0-9]{6}Z|marks/[0-9a-f]{32}'
readonly OBJECT_PATTERN="^($OBJECT_NAMES)\$"
# What check writes, reads and deletes.
readonly PROBE_PATTERN='probe-[a-z0-9.-]+'

# What a job that was told to end gets for that.
STOP_SECONDS=20

# How far ahead of the clock the last name may be for a run to wait until it has passed.
readonly NAME_WAIT_SECONDS=5

readonly OLDEST_SERVER=2.39
# A block cut by head compaction ends on this grid (ms); the head block of a snapshot does not.
readonly BLOCK_RANGE_MS=7200000
# What Prometheus preallocates while it writes a block from the head.
readonly SNAPSHOT_HEADROOM_BYTES=$((512 * 1024 * 1024))
# What a repository on the same file system leaves to the server, which writes its WAL there.
readonly ROOM_FOR_SERVER_BYTES=$((256 * 1024 * 1024))
# What lists, manifests and metrics of one run may take in the state directory.
readonly STATE_HEADROOM_BYTES=$((16 * 1024 * 1024))

# Where the step "admin API" puts what starts a server behind its proxy.
readonly BEHIND_PROXY=/usr/local/lib/prometheus-backup/behind-proxy

# The settings of this host.
CONFIG_FILE="${PROMETHEUS_BACKUP_CONFIG:-/etc/prometheus-backup/prometheus-backup.conf}"
