# shellcheck shell=bash
# What of a file may leave the host. Not a list of words decides but the place: what stands under a key that is known to
# hold no secret travels,
# if it looks like what that key holds; everything else becomes <secret>, with all that is below it. Comments never
# travel. A file in which not
# every character can be told apart this way (anchors, tags, several documents, odd indentation) does not travel at all.
# No YAML library is on a host. Nothing here gives a value a meaning: text is kept as it stands or left out, so a
# misread can only leave out more.

# mask_yaml KIND FILE: prints FILE masked; KIND: config (prometheus.yml and scrape_config_files), rules, targets
# (file_sd, also in JSON) or web. What
# was left out goes to descriptor 3, "LINE<TAB>KEY" each, "0<TAB>COUNT" for comments. False, with the reason on stderr,
# if it cannot be judged.
mask_yaml() { LC_ALL=C awk -v kind="$1" "$(harmless_keys | yaml_table)$(yaml_judge)$(yaml_values)" <"$2"; }

# mask_unit FILE: the same for a unit and its drop-ins as systemctl cat prints them.
mask_unit() { LC_ALL=C awk "$(harmless_directives | unit_table)$(unit_judge)$(yaml_values)" <"$1"; }

# harmless_keys: "CONTEXT RULE KEY...": what stands under KEY in CONTEXT. RULE is a form of yaml_values, or another
# context; * is any other key.
harmless_keys() {
  cat <<'TABLE'
config config global runtime storage tsdb exemplars otlp tracing alerting alertmanagers scrape_configs remote_write
config config remote_read queue_config
config config metadata_config tls_config basic_auth authorization oauth2 sigv4 azuread managed_identity sdk google_iam
config config namespaces selectors attach_metadata
config config azure_sd_configs consul_sd_configs digitalocean_sd_configs docker_sd_configs dockerswarm_sd_configs
config config dns_sd_configs ec2_sd_configs
config config eureka_sd_configs file_sd_configs gce_sd_configs hetzner_sd_configs http_sd_configs ionos_sd_configs
config config kubernetes_sd_configs kuma_sd_configs
config config lightsail_sd_configs linode_sd_configs marathon_sd_configs nerve_sd_configs nomad_sd_configs
config config openstack_sd_configs ovhcloud_sd_configs
config config puppetdb_sd_configs scaleway_sd_configs serverset_sd_configs stackit_sd_configs triton_sd_configs
config config uyuni_sd_configs vultr_sd_configs
config config static_configs retention
config relabel relabel_configs metric_relabel_configs write_relabel_configs alert_relabel_configs
config labels labels external_labels
config params params
config names headers endpoint_params proxy_connect_header node_meta required_matchers
config headers http_headers
config filter filters
config number scrape_interval scrape_timeout evaluation_interval rule_query_offset body_size_limit sample_limit
config number label_limit label_name_length_limit
config number label_value_length_limit target_limit keep_dropped_targets gogc honor_labels honor_timestamps
config number track_timestamps_staleness
config number enable_compression follow_redirects enable_http2 insecure_skip_verify proxy_from_environment
config number scrape_classic_histograms
config number always_scrape_classic_histograms convert_classic_histograms_to_nhcb native_histogram_bucket_limit
config number native_histogram_min_bucket_factor
config number scrape_native_histograms send_exemplars send_native_histograms round_robin_dns read_recent
config number filter_external_labels remote_timeout timeout
config number capacity max_shards min_shards max_samples_per_send batch_send_deadline min_backoff max_backoff
config number retry_on_http_429 sample_age_limit send
config number send_interval out_of_order_time_window max_exemplars refresh_interval port allow_stale
config number include_parameters sampling_fraction insecure
config number match_first_network own_namespace node namespace keep_identifying_resource_attributes
config number convert_histograms_to_nhcb fetch_timeout version
config number all_tenants time size percentage extra_scrape_metrics
config word scheme role action min_version max_version api_version client_type compression scrape_protocols
config word metric_name_validation_scheme
config word metric_name_escaping_scheme translation_strategy protobuf_message availability cloud region environment
config method type
config path rule_files scrape_config_files files credentials_file bearer_token_file password_file username_file
config path client_secret_file ca_file cert_file
config path key_file kubeconfig_file query_log_file scrape_failure_log_file application_credential_file
config path auth_token_file
config route metrics_path path_prefix
config url url proxy_url token_url api_server endpoint servers host
config target targets server no_proxy server_name host_networking_host
config text job_name name names services tags tag_separator datacenter zone project promote_resource_attributes label
config text field scopes ignore_resource_attributes
relabel word action modulus
relabel text source_labels separator regex target_label
labels text *
labels target __address__ __param_target
labels route __metrics_path__
labels word __scheme__ __scrape_interval__ __scrape_timeout__ __param_module
params text module collect[] match[] format
params target target
headers header *
header path files
filter text name values
rules rules groups
rules text name alert record source_tenants
rules query expr
rules number interval query_offset limit for keep_firing_for
rules word partial_response_strategy
rules labels labels
rules rules rules
rules annotations annotations
annotations text summary description message title runbook runbook_url dashboard dashboard_url grafana_url panel_url
annotations text link links url docs documentation
annotations text value current_value impact action mitigation identifier troubleshooting remediation resolution
annotations text details info help severity priority
annotations text subject firing_text __dashboardUid__ __panelId__
targets target targets
targets labels labels
web web tls_server_config http_server_config
web names headers basic_auth_users
web path cert_file key_file client_ca_file
web word client_auth_type min_version max_version cipher_suites curve_preferences
web number prefer_server_cipher_suites http2
web text client_allowed_sans
TABLE
}

# yaml_table: the part of the awk program that has harmless_keys as an array.
yaml_table() {
  printf 'BEGIN {\n'
  awk '{ for (f = 3; f <= NF; f++) printf "HARMLESS[\"%s\", \"%s\"] = \"%s\"\n", $1, $f, $2 } END { print "}" }'
}

# yaml_values: cleaned(FORM, TEXT): TEXT if it has the FORM; if not, <secret>, or what is left of it without its secret
# parts.
yaml_values() {
  cat <<'AWK'
function is_form(rule) { return rule in FORM || rule ~ /^(path|route|url|target|text|query)$/ }
function cleaned(form, text,   bare) {
  bare = text; sub(/[ \n]+$/, "", bare)
  if (bare == "" || bare == "<secret>" || bare == "null" || bare == "~" || form == "any") return text
  if (form in FORM) return length(bare) <= 64 && bare ~ FORM[form] ? text : "<secret>"
  if (form == "route") return route(bare)
  if (form == "target") return bare ~ /:\/\// ? addresses(bare, 1) : without_user(bare)
  if (form == "url") return addresses(bare, 1)
  if (form == "path" || form == "text" || form == "query") return addresses(text, 0)
  return "<secret>"
}

function without_user(s) { if (s ~ /@/) sub(/^.*@/, "<secret>@", s); return s ~ /[?#]/ ? answers(s) : s }

# addresses(s, strict): each address in s without its user and password, and without what it asks for; if strict, also
# without folders of no known name.
function addresses(s, strict,   out, a, k) {
  out = ""
  while (match(s, strict ? "[A-Za-z][A-Za-z0-9+.-]*://.*" : "[A-Za-z][A-Za-z0-9+.-]*://[^ \t\n]*")) {
    a = substr(s, RSTART, RLENGTH); out = out substr(s, 1, RSTART - 1); s = substr(s, RSTART + RLENGTH)
    k = index(a, "://") + 2; out = out substr(a, 1, k); a = substr(a, k + 1)
    if (a ~ /@/) sub(/^.*@/, "<secret>@", a)
    out = out (strict && (k = match(a, /[\/?#]/)) ? substr(a, 1, k - 1) route(substr(a, k)) : answers(a))
  }
  return out s
}

# answers(s): the values behind ? and & and #, unless they are numbers or templates.
function answers(s,   out, piece, k) {
  out = ""
  while (match(s, /[?&#;][^=&#?; ]*=?[^&#?; ]*/)) {
    piece = substr(s, RSTART, RLENGTH); out = out substr(s, 1, RSTART - 1); s = substr(s, RSTART + RLENGTH)
    k = index(piece, "=")
    if (k && substr(piece, k + 1) !~ PLAIN_ANSWER) piece = substr(piece, 1, k) "<secret>"
    else if (!k && length(piece) > 1 && substr(piece, 2) !~ /^[a-z-]+$/) piece = substr(piece, 1, 1) "<secret>"
    out = out piece
  }
  return out s
}

# route(s): a path within an address; folders of no known name are left out.
function route(s,   tail, n, part, k, out) {
  tail = ""
  if (k = match(s, /[?#]/)) { tail = answers(substr(s, k)); s = substr(s, 1, k - 1) }
  n = split(s, part, "/"); out = ""
  for (k = 1; k <= n; k++) {
    if (part[k] != "" && part[k] !~ KNOWN_FOLDER) part[k] = "<secret>"
    out = out (k > 1 ? "/" : "") part[k]
  }
  return out tail
}
BEGIN {
  FORM["number"] = "^(true|false|[-+]?[0-9][0-9.]*(e[-+]?[0-9]+)?[A-Za-z]?[A-Za-z]?[A-Za-z]?([0-9]+(ms|[smhdwy]))*)$"
  FORM["flag"] = "^(true|false)$"
  FORM["word"] = "^[A-Za-z0-9_.:+/-]+$"
  FORM["method"] = "^([Bb]earer|[Bb]asic|Digest|[Tt]oken|ApiKey|apikey|Api-Key|A|AAAA|SRV|MX|NS|grpc|http)$"
  FORM["references"] = "^([$]([0-9]+|[{][A-Za-z0-9_]+[}])|[:;,/._-])*$"
  PLAIN_ANSWER = "^([0-9]?[0-9]?[0-9]?[0-9]?|true|false|now|now-[0-9]+[smhd]|[{][{].*|[$].*|<secret>)$"
  KNOWN_FOLDER = "^(v?[0-9]?[0-9]?[0-9]|[$][0-9]|[$][{][A-Za-z0-9_]+[}]|<secret>|" \
    "_?metrics|_prometheus|prometheus|prom|" \
    "api|write|read|push|receive|federate|probe|probes|remote|remote[_-]write|remote_read|actuator|manage|management|" \
    "monitoring|stats|status|snmp|insert|select|cluster|node|nodes|bucket|resource|cadvisor|proxy|services|sd|" \
    "discovery|targets|minio|workspaces|exporter|health|admin|public|internal|server|nginx|haproxy|caddy|" \
    "vmalert|vmagent|alertmanager|mimir|cortex|thanos|grafana|loki|var|run|docker[.]sock|podman|podman[.]sock|oauth2?|token|realms|" \
    "protocol|openid-connect|http_sd|service-discovery|hosts|otlp|traces|ws-[0-9a-f-]+)$"
}
AWK
}
