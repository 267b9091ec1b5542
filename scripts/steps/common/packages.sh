# shellcheck shell=bash
# Tools the host lacks. Packages are installed, never upgraded, and stay when the step is removed:
# somebody else may have come to need them.

# package_of TOOL: sets PACKAGE to the name of the package that holds TOOL.
package_of() {
  PACKAGE="$1"
  if [[ $1 == cron ]] && ! command -v apt-get >/dev/null; then PACKAGE=cronie; fi
}

# has_tool TOOL: cron's daemon has another name on other distributions.
has_tool() {
  if [[ $1 == cron ]]; then
    command -v cron >/dev/null || command -v crond >/dev/null
  else
    command -v "$1" >/dev/null
  fi
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
  else
    die "$EXIT_CONFIGURATION" "this host lacks ${missing[*]}, and has neither apt-get nor dnf to install them; install them and run \`pulumi up\` again"
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
    if "${apt[@]}" install --no-install-recommends --no-upgrade "$@" >"$WORK/packages" 2>&1; then return 0; fi
    if ((try == 1)); then
      "${apt[@]}" update >"$WORK/packages-update" 2>&1 || true
    fi
  done
  packages_failed "$@"
}

packages_failed() {
  die_with "$EXIT_CONFIGURATION" "$WORK/packages" "installing $* failed, see above; install them on the host or mend its package sources, then run \`pulumi up\` again"
}
