# shellcheck shell=bash
# Units: which directives hold no secret, and the reader of mask_unit.

# harmless_directives: "FORM DIRECTIVE..." of units; what stands behind any other is left out.
harmless_directives() {
  cat <<'TABLE'
text Description Documentation
text After Before Wants Requires Requisite BindsTo PartOf Upholds Conflicts OnFailure OnSuccess RequiresMountsFor
text WantsMountsFor PropagatesReloadTo
text WantedBy RequiredBy Alias Also DefaultInstance JoinsNamespaceOf ReloadPropagatedFrom StopPropagatedFrom Sockets
text ConditionPathExists ConditionPathIsDirectory ConditionFileNotEmpty ConditionPathIsMountPoint ConditionUser
text ConditionGroup ConditionHost
text AssertPathExists AssertPathIsDirectory AssertFileNotEmpty AssertPathIsMountPoint
text User Group SupplementaryGroups WorkingDirectory RootDirectory StateDirectory RuntimeDirectory LogsDirectory
text CacheDirectory ConfigurationDirectory
text ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths BindPaths BindReadOnlyPaths
text TemporaryFileSystem PIDFile EnvironmentFile
text PassEnvironment UnsetEnvironment StandardInput StandardOutput StandardError SyslogIdentifier Slice
text SystemCallFilter RestrictAddressFamilies
text CapabilityBoundingSet AmbientCapabilities SystemCallArchitectures RestrictNamespaces IPAddressAllow IPAddressDeny
text SocketBindAllow SocketBindDeny
text DeviceAllow SecureBits LogNamespace ImportCredential
number DefaultDependencies RefuseManualStart RefuseManualStop StopWhenUnneeded IgnoreOnIsolate StartLimitIntervalSec
number StartLimitBurst StartLimitInterval
number DynamicUser RemainAfterExit GuessMainPID SendSIGKILL SendSIGHUP Nice OOMScoreAdjust IOSchedulingPriority
number CPUWeight StartupCPUWeight IOWeight
number RestartSec RestartSteps RestartMaxDelaySec TimeoutSec TimeoutStartSec TimeoutStopSec TimeoutAbortSec
number WatchdogSec RuntimeMaxSec JobTimeoutSec
number LimitNOFILE LimitNPROC LimitMEMLOCK LimitCORE LimitAS LimitSTACK LimitDATA LimitFSIZE LimitCPU LimitRSS
number TasksMax MemoryMax MemoryHigh MemoryLow MemoryMin
number MemorySwapMax MemoryLimit CPUQuota CPUShares BlockIOWeight CPUAccounting MemoryAccounting IOAccounting
number TasksAccounting IPAccounting
number StateDirectoryMode RuntimeDirectoryMode LogsDirectoryMode CacheDirectoryMode ConfigurationDirectoryMode UMask
number RuntimeDirectoryPreserve
number LockPersonality MemoryDenyWriteExecute NoNewPrivileges PrivateDevices PrivateTmp PrivateUsers PrivateNetwork
number PrivateMounts PrivateIPC
number ProtectControlGroups ProtectKernelModules ProtectKernelTunables ProtectKernelLogs ProtectClock ProtectHostname
number RestrictRealtime RestrictSUIDSGID
number RemoveIPC MountAPIVFS AllowIsolate LogRateLimitIntervalSec LogRateLimitBurst Delegate IgnoreSIGPIPE
word Type Restart KillMode KillSignal RestartKillSignal FinalKillSignal WatchdogSignal NotifyAccess OOMPolicy
word CPUSchedulingPolicy IOSchedulingClass
word ProtectSystem ProtectHome ProtectProc ProcSubset DevicePolicy KeyringMode LogLevelMax SyslogFacility SyslogLevel
word StartLimitAction FailureAction
word SuccessAction SuccessExitStatus RestartPreventExitStatus RestartForceExitStatus CollectMode CPUAffinity
word NUMAPolicy SystemCallErrorNumber MountFlags
word ExitType RestartMode ManagedOOMSwap ManagedOOMMemoryPressure
command ExecStart ExecStartPre ExecStartPost ExecReload ExecStop ExecStopPost ExecCondition
names Environment
credential LoadCredential LoadCredentialEncrypted
TABLE
}

# unit_table: the part of the awk program that has harmless_directives as an array.
unit_table() {
  printf 'BEGIN {\n'
  awk '{ for (f = 2; f <= NF; f++) printf "HARMLESS[\"%s\"] = \"%s\"\n", $f, $1 } END { print "}" }'
}

# unit_judge: the program of mask_unit. Lines that go on are one line with the ends kept in it.
unit_judge() {
  cat <<'AWK'
{
  sub(/\r$/, "")
  if (/[\001-\010\013-\037\177]/) { print "line " NR ": it has control characters" >"/dev/stderr"; exit 3 }
  # systemd reads over comments between lines that go on.
  if (/^[ \t]*[#;]/) {
    if (whole == "" && /^# \/[^ ]+\.(service|conf)$/) print; else comments++
    next
  }
  if (whole == "") from = NR
  whole = whole $0
  if (whole ~ /\\$/) { whole = whole "\n"; next }
  one(whole); whole = ""
}
END {
  if (whole != "") one(whole)
  if (comments) print "0\t" comments >"/dev/fd/3"
}

BEGIN {
  AMOUNTS = "^(yes|no|true|false|on|off|infinity|max|full|self|disconnected|" \
    "[0-9.]+ ?[A-Za-z]*( [0-9.]+ ?[A-Za-z]*)*)$"
}

function one(line,   k, form, before, text, clean) {
  if (line ~ /^[ \t]*$/ || line ~ /^\[[A-Za-z-]+\][ \t]*$/) { print line; return 0 }
  k = index(line, "="); before = substr(line, 1, k); text = substr(line, k + 1)
  if (!k || before !~ /^[ \t]*[A-Za-z][A-Za-z0-9-]*[ \t]*=$/) {
    print "line " from ": it is no line of a unit" >"/dev/stderr"
    exit 3
  }
  k = before; gsub(/[ \t=]/, "", k); form = HARMLESS[k]
  if (text ~ /^[ \t]*$/) clean = text
  else if (form == "command") clean = command(text)
  else if (form == "names") clean = settings(text)
  else if (form == "credential") clean = text ~ /^ *[A-Za-z0-9._-]+(:[\/A-Za-z0-9._-]+)?$/ ? text : "<secret>"
  else if (form == "") clean = text ~ /^ *(yes|no|true|false|on|off|0|1)$/ ? text : "<secret>"
  else clean = listed(form, text)
  if (clean != text) print from "\t" k >"/dev/fd/3"
  print before clean
}

# listed(form, text): words with something between them each by itself, since a list of numbers is no number.
function listed(form, text,   bare) {
  if (form == "text") return cleaned("text", text)
  bare = text; gsub(/[ \t\n\\%~:,!+-]+/, " ", bare); sub(/^ /, "", bare); sub(/ $/, "", bare)
  if (form == "number" && (length(bare) > 40 || bare !~ AMOUNTS)) return "<secret>"
  return length(bare) <= 200 && bare ~ /^[A-Za-z0-9_. -]+$/ ? text : "<secret>"
}

# words(text): the words of a line in WORD[1..], with what stands before each in BEFORE[]; none if its quotes have no
# end. A quoted word keeps its quotes.
function words(text,   n, ch, s, q) {
  n = 0
  for (;;) {
    match(text, /^([ \t\n]|\\\n)*/); s = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
    if (text == "") { TAIL = s; return n }
    BEFORE[++n] = s; WORD[n] = ""
    while (text != "" && text !~ /^([ \t\n]|\\\n)/) {
      q = substr(text, 1, 1)
      if (q == "\"") { if (!match(text, /^"([^"\\]|\\.|\\\n)*"/)) return 0 }
      else if (q == "'") { if (!match(text, /^'([^'\\]|\\.|\\\n)*'/)) return 0 }
      else if (q == "\\") { RLENGTH = 2 }
      else match(text, /^[^ \t\n"'\\]+/)
      WORD[n] = WORD[n] substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
    }
  }
}

# command(text): the program, flags that Prometheus knows with their values, and variables; any other word may hold
# anything.
function command(text,   n, k, e, out, w, flag, keep) {
  n = words(text); if (!n) return "<secret>"
  out = ""; flag = 0
  for (k = 1; k <= n; k++) {
    w = WORD[k]; keep = "<secret>"
    if (k == 1) { if (w ~ /^[-@:+!|]*\/[A-Za-z0-9_.\/@+-]+$/) keep = w }
    else if (w ~ /^[$]([A-Z_]+|[{][A-Z_]+[}])$/ || w ~ /^(-[A-Z]+|-[A-Za-z]|;|--)$/) keep = w
    else if (w ~ /^--(no-)?[a-z][a-z0-9.-]*$/) keep = w
    else if (e = match(w, /^--[a-z][a-z0-9.-]*=/) ? RLENGTH : 0)
      keep = substr(w, 1, e) (known(substr(w, 1, e - 1)) ? argument(substr(w, e + 1)) : "<secret>")
    else if (flag) keep = argument(w)
    else if (w ~ /^\/[A-Za-z0-9_.\/@+-]+$/) keep = w
    flag = (w !~ /=/ && known(w))
    out = out BEFORE[k] keep
  }
  return out TAIL
}
function known(w) {
  return w ~ /^--(config|web|storage|query|rules|alertmanager|scrape|log|enable|auto|agent)[.-][a-z0-9.-]+$/
}
function argument(w) { return w ~ /\\/ ? "<secret>" : cleaned("url", w) }

# settings(text): names of the variables, not their values, but for those of the Go runtime.
function settings(text,   n, k, out, w, q) {
  n = words(text); if (!n) return "<secret>"
  out = ""
  for (k = 1; k <= n; k++) {
    w = WORD[k]
    if (length(w) <= 60 && w ~ /^["']?(GOGC|GOMAXPROCS|GOMEMLIMIT|TZ|LANG|LC_ALL)=[A-Za-z0-9_.:\/-]*["']?$/) {
      out = out BEFORE[k] w
      continue
    }
    q = substr(w, 1, 1); if (q != "\"" && q != "'") q = ""
    w = match(w, /^["']?[A-Za-z_][A-Za-z0-9_]*=/) ? substr(w, 1, RLENGTH) "<secret>" q : "<secret>"
    out = out BEFORE[k] w
  }
  return out TAIL
}
AWK
}
