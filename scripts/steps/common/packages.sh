# shellcheck shell=bash
# Tools the host lacks. Packages are installed, never upgraded, and stay when the step is removed:
# somebody else may have come to need them.

# package_of TOOL: sets PACKAGE to the name of the package that holds TOOL.
package_of() {
  PACKAGE="$1"
  if [[ $1 == cron ]] && ! command -v apt-get >/dev/null; then PACKAGE=cronie; fi
}

# require_cron_to_come: refuses a host where cron neither runs nor can be installed, before anything is changed.
require_cron_to_come() {
  find_cron
  if [[ -n $CRON_UNIT ]]; then require_cron; return 0; fi
  if command -v apt-get >/dev/null; then
    refuse_removals cron
  elif ! command -v dnf >/dev/null; then
    die "$EXIT_CONFIGURATION" \
      'this host has no cron that starts what is in /etc/cron.d, and neither apt-get nor dnf to install one; nothing was changed. Install cron, cronie or systemd-cron'
  fi
}

# require_cron: an entry that nobody reads would be a backup that never runs.
require_cron() {
  find_cron
  if [[ -n $CRON_UNIT ]] && systemctl is-active --quiet -- "$CRON_UNIT"; then return 0; fi
  die "$EXIT_CONFIGURATION" \
    "cron does not run on this host, so no backup would start; nothing was changed. Run: systemctl enable --now ${CRON_UNIT:-cron.service}"
}

# refuse_removals PACKAGE...: ends the step if installing them would take other packages from this host.
refuse_removals() {
  local removed
  removed="$(apt-get --simulate --no-install-recommends --no-upgrade install "$@" 2>/dev/null | awk '$1 == "Remv" {
    print $2 }' | tr '\n' ' ')" || true
  if [[ -z $removed ]]; then return 0; fi
  die "$EXIT_REFUSED" "installing $* would remove ${removed% } from this host; nothing was changed. Install $* yourself if that is right, or what it is needed for in another way"
}

# has_tool TOOL: cron's daemon has other names on other distributions.
has_tool() {
  if [[ $1 == cron ]]; then
    find_cron
    [[ -n $CRON_UNIT ]]
  else
    command -v "$1" >/dev/null
  fi
}

# require_installable TOOL...: refuses a host that lacks one of them and on which no step can install it, before one of
# them has changed anything.
require_installable() {
  local tool missing=()
  for tool in "$@"; do
    if ! has_tool "$tool"; then missing+=("$tool"); fi
  done
  if ((${#missing[@]} == 0)) || command -v apt-get >/dev/null || command -v dnf >/dev/null; then return 0; fi
  die "$EXIT_CONFIGURATION" \
    "this host lacks ${missing[*]}, and has neither apt-get nor dnf to install them; nothing was changed. Install them with its own package manager, and run \`pulumi up\` again"
}

# start_installed TOOL...: where packages come with dnf, no service starts by being installed.
start_installed() {
  local tool
  for tool in "$@"; do
    if [[ $tool == cron ]]; then
      find_cron
      systemctl enable --now --quiet -- "${CRON_UNIT:-crond.service}" || true
    fi
  done
}

# ensure_tools TOOL...: installs the packages of those that are missing.
ensure_tools() {
  local tool missing=() packages=()
  for tool in "$@"; do
    if ! has_tool "$tool"; then
      package_of "$tool"
      missing+=("$tool")
      packages+=("$PACKAGE")
    fi
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  if command -v apt-get >/dev/null; then
    install_with_apt "${packages[@]}"
  elif command -v dnf >/dev/null; then
    dnf --assumeyes --quiet install "${packages[@]}" >"$WORK/packages" 2>&1 || packages_failed "${packages[@]}"
    start_installed "${missing[@]}"
  else
    require_installable "${missing[@]}"
  fi
  for tool in "${missing[@]}"; do
    if ! has_tool "$tool"; then packages_failed "${packages[@]}"; fi
  done
  CHANGED=true
}

# install_with_apt PACKAGE...: package lists are fetched only if the install fails with those at hand.
install_with_apt() {
  local apt=(apt-get --quiet --assume-yes -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold)
  local try
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  for try in 1 2; do
    refuse_removals "$@"
    if "${apt[@]}" install --no-install-recommends --no-upgrade --no-remove "$@" >"$WORK/packages" 2>&1; then
      return 0
    fi
    if ((try == 1)); then
      "${apt[@]}" update >"$WORK/packages-update" 2>&1 || true
    fi
  done
  packages_failed "$@"
}

packages_failed() {
  die_with "$EXIT_CONFIGURATION" "$WORK/packages" \
    "installing $* failed, see above; install them on the host or mend its package sources, then run \`pulumi up\` again"
}
