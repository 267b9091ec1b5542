# shellcheck shell=bash
# The reader of mask_yaml: every character of a file belongs to a key, a value, a comment or the space between, or the
# file is refused.

# yaml_judge: reads all lines, walks them twice (the second time it knows the target_label of each relabeling) and
# prints on the second walk.
yaml_judge() {
  cat <<'AWK'
{ sub(/\r$/, ""); L[NR] = $0 }
END {
  if (NR > 400000) refuse("it is too long")
  for (i = 1; i <= NR; i++) {
    if (length(L[i]) > 20000) refuse("a line of it is too long")
    if (L[i] ~ /[\001-\010\013-\037\177]|\302\205|\342\200[\250\251]|\357\273\277/)
      refuse("it has control characters")
  }
  for (walk = 1; walk <= 2; walk++) {
    i = 1; hidden = (walk == 1); mappings = 0; comments = 0
    skip()
    if (L[i] ~ /^---[ \t]*([ \t]#.*)?$/) { if (L[i] ~ /#/) comments++; put("---\n"); i++ }
    if (skip()) {
      c = lead() + 1
      if (rest() !~ /^(-( |$)|[[{])/ && !keyed(rest())) refuse("it is neither a list nor keys with values")
      put(substr(L[i], 1, c - 1)); node(0, kind)
    }
    if (skip()) refuse("its indentation is odd")
  }
  if (comments) print "0\t" comments >"/dev/fd/3"
}

function refuse(why) { print "line " i ": " why >"/dev/stderr"; exit 3 }
function put(text) { if (!hidden) printf "%s", text }
# note(line): that something under KEY is left out.
function note(line) { if (!hidden) print line "\t" KEY >"/dev/fd/3" }
function lead() { match(L[i], /^ */); return RLENGTH }
function rest() { return substr(L[i], c) }
function spaces() { match(rest(), /^[ \t]*/); put(substr(L[i], c, RLENGTH)); c += RLENGTH }

# skip(): to the next line with something in it. Blank lines stay, comments do not.
function skip() {
  for (; i <= NR; i++) {
    if (L[i] ~ /^ *$/) put("\n")
    else if (L[i] ~ /^[ \t]*#/) comments++
    else if (L[i] ~ /^ *\t/) refuse("a tab indents it")
    else if (L[i] ~ /^(---|\.\.\.)([ \t]|$)/ && walk && i > 1 && seen()) refuse("it has several documents")
    else return 1
  }
  return 0
}
function seen(   j) { for (j = 1; j < i; j++) if (L[j] !~ /^[ \t]*(#|$)/) return 1; return 0 }

# node(parent, rule): what begins at column c, below something at column parent.
function node(parent, rule,   s) {
  s = rest()
  if (s ~ /^-( |$)/) sequence(c, rule)
  else if (s ~ /^[[{]/) { flow(rule); end_of_line() }
  else if (keyed(s)) mapping(c, rule)
  else scalar(parent, rule)
}

function keyed(s) {
  return s ~ /^([A-Za-z_][]A-Za-z0-9_.\/[-]*|"[]A-Za-z0-9_.\/@ [-]*"|'[]A-Za-z0-9_.\/@ [-]*') *:([ \t]|$)/
}

# take_key(): the key at column c, which is put; c stands behind its colon.
function take_key(   raw, k) {
  raw = substr(rest(), 1, index(rest(), ":")); c += length(raw); put(raw)
  k = raw; sub(/ *:$/, "", k); gsub(/^["']|["']$/, "", k)
  return k
}

function mapping(col, rule,   k, id) {
  if (is_form(rule)) refuse("a mapping stands where a value belongs")
  id = ++mappings
  for (;;) {
    k = take_key()
    value(col, judge(rule, k, id), k)
    if (k == "target_label") TARGET[id] = LAST
    if (!skip()) return 0
    c = lead() + 1
    if (c < col) return 0
    if (c > col || !keyed(rest())) refuse("its indentation is odd")
    put(substr(L[i], 1, col - 1))
  }
}

function sequence(col, rule) {
  for (;;) {
    put("-"); c = col + 1; spaces()
    if (rest() ~ /^(#|$)/) {
      if (rest() != "") comments++
      put("\n"); i++
      if (skip() && lead() + 1 > col) { c = lead() + 1; put(substr(L[i], 1, c - 1)); node(col, rule) }
    } else node(col, rule)
    if (!skip()) return 0
    c = lead() + 1
    if (c > col) refuse("its indentation is odd")
    if (c < col || rest() !~ /^-( |$)/) return 0
    put(substr(L[i], 1, col - 1))
  }
}

# value(col, rule, k): what stands behind the colon of key k at column col; without a rule it is left out, unless it
# says no more than yes or no.
# is_bare(s, end): whether s says no more than yes, no, nothing, or that something was left out.
function is_bare(s, end) { return s ~ ("^ *(true|false|null|~|\"\"|''|\\[\\]|[{][}]|\"?<secret>\"?)[ \t]*" end) }

function value(col, rule, k,   masked) {
  LAST = ""; if (!hidden) KEY = k
  if (rule == "" && is_bare(rest(), "( #.*)?$")) rule = "flag"
  masked = (rule == ""); if (masked) { line_of_key = i; hidden++; rule = "any" }
  found = 1
  put_value(col, rule)
  if (masked) { hidden--; put(found ? " <secret>\n" : "\n"); if (found) note(line_of_key) }
}
function put_value(col, rule) {
  spaces()
  if (rest() !~ /^(#|$)/) {
    if (rest() ~ /^[[{]/) { flow(rule); end_of_line() } else scalar(col, rule)
    found = 1
    return 0
  }
  if (rest() != "") comments++
  put("\n"); i++
  found = 0
  if (!skip()) return 0
  if (lead() + 1 < col || (lead() + 1 == col && L[i] !~ /^ *-( |$)/)) return 0
  c = lead() + 1; put(substr(L[i], 1, c - 1)); node(lead() + 1 == col ? col - 1 : col, rule)
  found = 1
}

function end_of_line() {
  if (rest() !~ /^[ \t]*([ \t]#.*)?$/) refuse("something stands behind a value")
  if (rest() ~ /#/) comments++
  put("\n"); i++
}

function scalar(parent, rule,   s) {
  s = substr(rest(), 1, 1)
  if (s == "|" || s == ">") block(parent, rule)
  else if (s == "\"" || s == "'") { quoted(rule); end_of_line() }
  else plain(parent, rule)
}

# uncommented(s): s without a comment at its end.
function uncommented(s) {
  if (match(s, /[ \t]+#.*$/)) { comments++; CUT = 1; s = substr(s, 1, RSTART - 1) } else CUT = 0
  sub(/[ \t]+$/, "", s)
  if (s ~ /:([ \t]|$)/) refuse("a key stands in a value")
  return s
}

function plain(parent, rule,   s, all, raw, j, gaps, clean) {
  s = rest()
  if (s ~ /^[]&*!%@`#,}]/ || s ~ /^[-?:]([ \t]|$)/) refuse("anchors, tags and the like cannot be judged")
  all = raw = uncommented(s); i++
  while (!CUT) {
    gaps = ""
    for (j = i; j <= NR && L[j] ~ /^ *$/; j++) gaps = gaps "\n"
    if (j > NR || L[j] ~ /^[ \t]*#/) break
    match(L[j], /^ */)
    if (RLENGTH < parent) break
    if (L[j] ~ /^ *\t/) refuse("a tab indents it")
    i = j
    s = uncommented(L[i]); raw = raw "\n" gaps s
    sub(/^ */, "", s); all = all " " s; i++
  }
  LAST = all
  clean = cleaned(rule, all)
  if (clean == all) put(raw "\n")
  else { note(i - 1); put((raw == all ? clean : "<secret>") "\n") }
}

# quoted(rule): a text in quotes, perhaps over several lines; c stands behind it.
function quoted(rule,   q, raw, s, from, clean) {
  q = substr(rest(), 1, 1); raw = ""; from = i; c++
  for (;;) {
    s = rest()
    if (q == "\"" ? match(s, /^([^"\\]|\\.)*"/) : match(s, /^([^']|'')*'/)) break
    raw = raw s "\n"
    if (++i > NR || L[i] ~ /^(---|\.\.\.)([ \t]|$)/) refuse("a text has no end")
    c = 1
  }
  raw = raw substr(s, 1, RLENGTH - 1); c += RLENGTH
  LAST = raw
  clean = raw
  gsub(/\n[ \n]*/, " ", clean)
  s = clean
  # Escapes can hide what an address is made of.
  if (q == "\"") { gsub(/\\[\\"nt]/, "", s); if (s ~ /\\/) clean = "<secret>"; else s = clean }
  if (clean != "<secret>") clean = cleaned(rule, clean)
  if (clean == s) put(q raw q)
  else { note(from); put(q (from == i ? clean : "<secret>") q) }
}

# block(parent, rule): a text over the lines that are indented deeper.
function block(parent, rule,   s, from, to, j, first, all, text, clean) {
  s = rest()
  if (s !~ /^[|>]([-+]?[1-9]?|[1-9][-+])[ \t]*([ \t]#.*)?$/) refuse("a text begins in a way that cannot be judged")
  if (s ~ /#/) { comments++; sub(/[ \t]+#.*$/, "", s) }
  from = i + 1; to = i
  first = match(s, /[1-9]/) ? parent - 1 + substr(s, RSTART, 1) : -1
  for (j = from; j <= NR; j++) {
    if (L[j] ~ /^ *$/) continue
    match(L[j], /^ */)
    if (RLENGTH < parent || (parent == 0 && RLENGTH == 0)) break
    if (first < 0) first = RLENGTH
    if (RLENGTH < first) { i = j; refuse("its indentation is odd") }
    to = j
  }
  for (j = from; j <= to; j++) {
    text = L[j]
    if (rule == "query") { text = without_remark(text); if (text ~ /^ *$/ && L[j] !~ /^ *$/) continue }
    all = all text "\n"
  }
  LAST = all
  clean = cleaned(rule, all)
  if (clean !~ /\n$/) clean = clean "\n"
  if (clean != all) note(i)
  if (clean == "<secret>\n") put(clean)
  else put(s "\n" clean)
  i = to + 1
}

# without_remark(s): a line of PromQL without the comment at its end.
function without_remark(s,   k, q, ch) {
  q = ""
  for (k = 1; k <= length(s); k++) {
    ch = substr(s, k, 1)
    if (q != "") { if (ch == "\\" && q != "`") k++; else if (ch == q) q = "" }
    else if (ch ~ /["'`]/) q = ch
    else if (ch == "#") { comments++; s = substr(s, 1, k - 1); sub(/[ \t]+$/, "", s); return s }
  }
  return s
}

# flow(rule): what stands in brackets or braces, perhaps over several lines; c stands behind it.
function flow(rule,   braces, last, k, id) {
  braces = (substr(L[i], c, 1) == "{"); last = braces ? "}" : "]"
  if (braces && is_form(rule)) refuse("a mapping stands where a value belongs")
  id = ++mappings
  put(substr(L[i], c, 1)); c++
  for (;;) {
    gap()
    if (substr(L[i], c, 1) == last) { put(last); c++; return 0 }
    if (braces) {
      k = flow_key(); gap()
      flow_value(judge(rule, k, id), k)
      if (k == "target_label") TARGET[id] = LAST
    } else flow_value(rule, "")
    gap()
    if (substr(L[i], c, 1) == ",") { put(","); c++ }
    else if (substr(L[i], c, 1) != last) refuse("a list cannot be judged")
  }
}

# gap(): white space, ends of lines and comments within brackets.
function gap() {
  for (;;) {
    match(rest(), /^[ \t]*/); put(substr(L[i], c, RLENGTH)); c += RLENGTH
    if (substr(L[i], c, 1) == "#" && (c == 1 || substr(L[i], c - 1, 1) ~ /[ \t]/)) { comments++; c = length(L[i]) + 1 }
    if (c <= length(L[i])) return 0
    put("\n"); c = 1
    if (++i > NR || L[i] ~ /^(---|\.\.\.)([ \t]|$)/) refuse("a list has no end")
  }
}

function flow_key(   s) {
  s = rest()
  if (s !~ /^([A-Za-z_][A-Za-z0-9_.\/-]* *:( |$)|"[]A-Za-z0-9_.\/@ [-]*" *:|'[]A-Za-z0-9_.\/@ [-]*' *:)/)
    refuse("a key cannot be judged")
  return take_key()
}

function flow_value(rule, k,   s, clean, masked) {
  LAST = ""; s = rest(); if (!hidden && k != "") KEY = k
  if (rule == "" && is_bare(s, "([],}]|$)")) rule = "flag"
  masked = (rule == ""); if (masked) { line_of_flow = i; hidden++; rule = "any" }
  if (s ~ /^[[{]/) flow(rule)
  else if (s ~ /^["']/) quoted(rule)
  else {
    if (s ~ /^[&*!|>%@`#]/ || s ~ /^[-?]([ \t,]|$)/) refuse("anchors, tags and the like cannot be judged")
    if (match(s, /[],[{}]/)) s = substr(s, 1, RSTART - 1)
    if (match(s, /[ \t]#/)) s = substr(s, 1, RSTART - 1)
    sub(/[ \t]+$/, "", s)
    if (s ~ /:([ \t]|$)/) refuse("a key stands in a value")
    LAST = s; clean = cleaned(rule, s); c += length(s)
    if (clean == s) put(s); else { note(i); put("\"" clean "\"") }
  }
  if (masked) { hidden--; put("\"<secret>\""); note(line_of_flow) }
}

# judge(rule, k, id): the rule for what stands under key k; none if nothing is known of it.
function judge(rule, k, id,   label) {
  if (rule == "any") return rule
  if (rule == "relabel" && k == "replacement") {
    label = TARGET[id]
    gsub(/^["']|["']$/, "", label)
    if (label ~ /^__/) return ("labels", label) in HARMLESS ? HARMLESS["labels", label] : "references"
    return label ~ /^[A-Za-z_][A-Za-z0-9_]*$/ ? "text" : "references"
  }
  if ((rule, k) in HARMLESS) return HARMLESS[rule, k]
  return (rule, "*") in HARMLESS && k !~ /^__/ ? HARMLESS[rule, "*"] : ""
}
AWK
}
