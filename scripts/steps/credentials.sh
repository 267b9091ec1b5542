# shellcheck shell=bash
# parts: core payload files
# Host step credentials: secret files, each with the owner and mode of its payload line, in a step of their
# own because one secret makes a whole payload unreadable in the preview. Nothing of them is ever printed.

readonly STEP=credentials STEP_SETTINGS='' STEP_IS_SECRET=true

step_install() {
  local index
  for index in "${!FILE_PATHS[@]}"; do
    if [[ ${FILE_MODES[index]} != 0600 && ${FILE_MODES[index]} != 0400 ]]; then
      die "$EXIT_REFUSED" "${FILE_PATHS[index]} holds a secret and must have mode 0600, not ${FILE_MODES[index]}; nothing was changed"
    fi
  done
  put_payload_files
}

step_remove() { take_back_all; }

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
