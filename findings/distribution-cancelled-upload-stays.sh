#!/bin/bash
# docker-registry 2.8.2 (Debian 12, distribution): an upload that was cancelled leaves
# files behind, which garbage collection does not remove.
#
# Behaviour: `DELETE` of the location of a new upload is answered with 204, and the
# upload is gone: `GET` of it says 404. In the storage, `_uploads/UUID/hashstates` of
# the repository stays, with the state of the hash: it is written when the request ends,
# after the upload's directory has been removed. `garbage-collect` leaves it there. (The
# purge of old uploads goes by the file `startedat`, which is not there any more.
# distribution 3.1.2 does the same.)
#
# Expected: the repository's directory without the upload, as after the `PUT` that ends
# one.
#
# Seen:
#   POST of an upload                    202
#   DELETE of it                         204
#   GET of it                            404
#   files of the cancelled upload        1
#   after garbage-collect                1
#   files of one that was ended          0
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
storage: {filesystem: {rootdirectory: $tmp/root}, delete: {enabled: true}}
http: {addr: '127.0.0.1:$port'}
EOF
docker-registry serve "$tmp/config.yml" >"$tmp/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    curl -sf -o "$tmp/null" "http://127.0.0.1:$port/v2/" && break
    sleep 0.1
done

# Asks, and keeps the status and the location.
ask() {
    status=$(curl -s -D "$tmp/head" -o "$tmp/null" -w '%{http_code}' "$@")
    location=$(tr -d '\r' <"$tmp/head" | sed -n 's/^location: //Ip')
}
open() { ask -X POST "http://127.0.0.1:$port/v2/$1/blobs/uploads/"; }
files() { find "$tmp/root" -path "*/$1/_uploads/*" -type f | wc -l; }

{
    open cancelled
    echo "POST of an upload                    $status"
    upload=$location
    ask -X DELETE "$upload"
    echo "DELETE of it                         $status"
    ask "$upload"
    echo "GET of it                            $status"
    echo "files of the cancelled upload        $(files cancelled)"
    open ended
    digest=sha256:$(printf content | sha256sum | cut -d' ' -f1)
    ask -X PUT --data-binary content -H 'Content-Type: application/octet-stream' "$location&digest=$digest"
    [ "$status" = 201 ] || { echo "the PUT failed: $status"; exit 2; }
    kill "$server" && wait "$server" || true
    server=
    docker-registry garbage-collect "$tmp/config.yml" >"$tmp/log" 2>&1
    echo "after garbage-collect                $(files cancelled)"
    echo "files of one that was ended          $(files ended)"
} >"$tmp/seen"
cat >"$tmp/expected" <<'EOF'
POST of an upload                    202
DELETE of it                         204
GET of it                            404
files of the cancelled upload        1
after garbage-collect                1
files of one that was ended          0
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
