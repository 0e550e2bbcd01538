#!/bin/bash
# docker-registry 2.8.2 (Debian 12, distribution): a manifest has a strong ETag, and
# a PUT on the condition of another one replaces it all the same.
#
# Behaviour: `GET /v2/NAME/manifests/TAG` answers with `Etag: "sha256:…"`, and
# honours If-None-Match with 304. `PUT` of the same tag with an If-Match of another
# ETag is answered with 201, and the tag has moved. (distribution 3.1.2 does the same.)
#
# Expected: 412, as RFC 9110, 13.1.1 has it. OCI distribution-spec 1.1 ("Referrers
# Tag Schema") names conditions on ETags as the means by which two clients do not
# overwrite each other's list of referrers. An ETag does not show that there are any.
#
# Seen:
#   GET                                  200, with an ETag
#   GET, If-None-Match with it           304
#   PUT, If-Match with another           201
#   the tag has moved                    yes
#
# Needs docker-registry (Debian), curl and python3.
set -euo pipefail

command -v docker-registry >/dev/null || { echo 'docker-registry is not there'; exit 2; }
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$tmp"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$tmp/config.yml" <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: $tmp/root}}
http: {addr: '127.0.0.1:$port'}
EOF
docker-registry serve "$tmp/config.yml" >"$tmp/log" 2>&1 &
server=$!
base=http://127.0.0.1:$port/v2/app
for _ in $(seq 100); do
    curl -sf -o "$tmp/null" "http://127.0.0.1:$port/v2/" && break
    sleep 0.1
done

type=application/vnd.oci.image.index.v1+json
index() { printf '{"schemaVersion":2,"mediaType":"%s","manifests":[],"annotations":{"is":"%s"}}' "$type" "$1"; }
put() { index "$1" | curl -s -o "$tmp/null" -w '%{http_code}' -X PUT -H "Content-Type: $type" "${@:2}" --data-binary @- "$base/manifests/list"; }
get() { curl -s -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' -H "Accept: $type" "$@" "$base/manifests/list"; }

[ "$(put first)" = 201 ] || { echo 'the first PUT failed'; exit 2; }
status=$(get)
etag=$(tr -d '\r' <"$tmp/head" | sed -n 's/^[Ee][Tt]ag: //p')
{
    echo "GET                                  $status, with ${etag:+an ETag}"
    echo "GET, If-None-Match with it           $(get -H "If-None-Match: $etag")"
    echo "PUT, If-Match with another           $(put second -H 'If-Match: "sha256:another"')"
    get >"$tmp/null"
    echo "the tag has moved                    $(grep -q second "$tmp/body" && echo yes || echo no)"
} >"$tmp/seen"
cat >"$tmp/expected" <<'EOF'
GET                                  200, with an ETag
GET, If-None-Match with it           304
PUT, If-Match with another           201
the tag has moved                    yes
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
