# shellcheck shell=bash
# Why a URL is not answered as it should be, where that shows: a password, TLS, a certificate, a path. For the server
# and for node_exporter.

# curl_words FILE: the line of curl's errors that has the reason; others explain what TLS is.
curl_words() { sed --quiet '/^curl: / { p; q; }' -- "$1" 2>/dev/null || true; }

# explain_answer STATUS BODY-FILE WORDS URL-SETTING CREDENTIALS-SETTING [CONFIG]: sets FAULT, whose subject is the URL,
# and REMEDY; both are empty if nothing shows, or if it may pass by itself. WORDS are those of curl_words, CONFIG is the
# curl configuration with credentials that it was asked with.
explain_answer() {
  local status=$1 words=${3,,} address=$4 credentials=$5 config=${6:-} body=''
  FAULT='' REMEDY=''
  if [[ -r $2 ]]; then body="$(head -c 2000 -- "$2" | tr -d '\0')"; fi
  case "$status $words $body" in
    40[13]*)
      FAULT="asks for credentials (HTTP $status)"
      REMEDY="Name a secret with a curl configuration, such as user = \"name:password\", in $credentials"
      if [[ -n $config ]]; then REMEDY="Correct the secret that $credentials names: its line user = \"name:password\" is missing or wrong"; fi ;;
    400*'HTTP request to an HTTPS server'* | 400*'HTTP request was sent to HTTPS'* | 400*'plain HTTP to an SSL'*)
      FAULT="speaks TLS"
      REMEDY="Write https:// in $address; for a certificate of your own, name a secret with the line cacert = \"FILE\" in $credentials" ;;
    404*) FAULT="has no such page (HTTP 404)" \
      REMEDY="Correct $address; its path is that of --web.route-prefix or --web.external-url, or of the proxy in front" ;;
    30[1278]*) FAULT="sends its callers elsewhere (HTTP $status)" REMEDY="Write in $address where it sends them" ;;
    000*'wrong version number'*) FAULT="speaks no TLS ($3)" REMEDY="Write http:// in $address" ;;
    000*'certificate required'* | 000*'alert bad certificate'* | 000*'alert handshake failure'*)
      FAULT="asks for a certificate of its callers ($3)"
      REMEDY="Name a secret with the lines cert = \"FILE\" and key = \"FILE\" in $credentials" ;;
    '000 curl: (58)'* | '000 curl: (77)'* | '000 curl: (26)'* | '000 curl: option'* | '000 curl: cannot read'*)
      FAULT="cannot be asked: $config, or a file that it names, cannot be read by '$(id -un)' as what it should be ($3)"
      REMEDY="Correct the path in the secret that $credentials names, and let '$(id -un)' read the file" ;;
    000*certificate*)
      FAULT="shows a certificate that this host does not trust ($3)"
      REMEDY="Name a secret with the line cacert = \"FILE\" in $credentials; is the name in the URL one of the certificate?" ;;
  esac
}
