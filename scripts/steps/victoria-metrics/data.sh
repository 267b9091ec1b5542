# shellcheck shell=bash
# The data directory and the user it belongs to. Neither goes with the step: they are what all this is for.

# foreign_entries DIRECTORY: prints what lies there, but for what every new file system has.
foreign_entries() { find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found -printf '%f\n' -quit 2>/dev/null; }

# refuse_foreign_data: only an empty directory, or data that a server of the same user has left.
refuse_foreign_data() {
  local old="${STATE_VALUES[data]:-}" owner
  if [[ -n $old && $old != "$DATA" && -d $old ]]; then
    warn "the data in $old stay there and are no longer served; VictoriaMetrics now keeps its data in $DATA"
  fi
  if [[ ! -e $DATA || -z "$(foreign_entries "$DATA")" ]]; then return 0; fi
  if [[ ! -d $DATA/data/small && ! -d $DATA/data/big ]]; then
    die "$EXIT_REFUSED" "$DATA holds $(foreign_entries "$DATA"), which is no data of VictoriaMetrics; nothing was changed. Choose an empty directory"
  fi
  owner="$(stat -c %U -- "$DATA")"
  if [[ $owner != "$SERVER_USER" || -n "$(find "$DATA" ! -user "$SERVER_USER" -print -quit 2>/dev/null)" ]]; then
    die "$EXIT_REFUSED" "$DATA holds data of VictoriaMetrics that do not all belong to $SERVER_USER; nothing was changed. If no other server uses them, run: chown -R $SERVER_USER:$SERVER_USER $DATA (after: adduser --system --group $SERVER_USER --force-badname)"
  fi
}

# ensure_server_user: the one that Debian's package makes, too.
ensure_server_user() {
  if id -- "$SERVER_USER" >/dev/null 2>&1; then return 0; fi
  MADE_USER=true CHANGED=true CHANGING=true
  useradd --system --user-group --no-create-home --home-dir "$DATA" --shell /usr/sbin/nologin \
    --comment 'VictoriaMetrics' "$SERVER_USER" >"$WORK/useradd" 2>&1 ||
    die_with "$EXIT_CONFIGURATION" "$WORK/useradd" "the user $SERVER_USER cannot be made, see above"
}

# ensure_data_directory: made for the server, or given to it while it is empty.
ensure_data_directory() {
  local owner mode
  if [[ ! -e $DATA ]]; then
    NEW_DATA="$DATA"
    ensure_directory "$DATA" "$SERVER_USER:$SERVER_USER" 0750
    return 0
  fi
  read -r owner mode <<<"$(stat -c '%u:%g %a' -- "$DATA")"
  if [[ "$(stat -c %U -- "$DATA")" == "$SERVER_USER" ]]; then return 0; fi
  remember_value data_owner_before "$owner $mode"
  CHANGED=true GIVEN_DATA="$owner $mode"
  chown -- "$SERVER_USER:$SERVER_USER" "$DATA"
  chmod -- 0750 "$DATA"
}

# drop_new_data: for a failed install. A server that has answered may have been given samples; those stay.
drop_new_data() {
  if [[ -n $NEW_DATA && -d $NEW_DATA ]]; then
    if [[ $ANSWERED == false ]]; then
      rm -rf -- "$NEW_DATA"
    elif ! rmdir -- "$NEW_DATA" 2>/dev/null; then
      MADE_USER=false
      note "$NEW_DATA stays: the server in it has answered, so it may hold samples"
    fi
  elif [[ -n ${GIVEN_DATA:-} && -z "$(foreign_entries "$DATA")" ]]; then
    chown -- "${GIVEN_DATA% *}" "$DATA"
    chmod -- "${GIVEN_DATA#* }" "$DATA"
  fi
}

# give_back_data_directory: one that was there before and holds nothing gets its owner back.
give_back_data_directory() {
  local before="${STATE_VALUES[data_owner_before]:-}" data="${STATE_VALUES[data]}"
  if [[ -n $before && -z "$(foreign_entries "$data")" ]]; then
    chown -- "${before% *}" "$data"
    chmod -- "${before#* }" "$data"
  fi
}
