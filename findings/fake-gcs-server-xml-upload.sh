#!/bin/bash
# fake-gcs-server 1.56.1: Google's XML API reads objects, but uploads none.
#
# Behaviour: `PUT /BUCKET/OBJECT`, the upload of Cloud Storage's XML API, is answered with
# 400. An object that came by the JSON API (`POST /upload/storage/v1/b/BUCKET/o`) is
# returned by `GET /BUCKET/OBJECT`.
#
# Expected: that both directions work, since reading does, or 501. Rust's object_store
# (0.14) uploads to Google with the XML API alone, because only that has uploads in parts
# and conditions (`x-goog-if-generation-match`); so it reads from this server, but cannot
# write to it.
#
# Seen:
#   XML upload   400 invalid uploadType
#   JSON upload  200
#   XML download 200 hello
#
# Needs go (for some minutes), curl and python3.
set -euo pipefail

command -v curl >/dev/null && command -v go >/dev/null &&
    command -v python3 >/dev/null || exit 2
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$tmp"' EXIT
GOBIN=$tmp GOFLAGS= CGO_ENABLED=0 go install github.com/fsouza/fake-gcs-server@v1.56.1 || exit 2

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$tmp/fake-gcs-server" -scheme http -host 127.0.0.1 -port "$port" -backend memory \
    -public-host "127.0.0.1:$port" \
    >"$tmp/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null && break
    sleep 0.1
done
url=http://127.0.0.1:$port
curl --silent --output /dev/null --json '{"name": "bucket"}' "$url/storage/v1/b?project=test"

ask() { # words of curl
    curl --silent --output "$tmp/answer" --write-out '%{http_code}' "$@"
}
seen=$(
    code=$(ask --request PUT --data-binary hello "$url/bucket/xml")
    echo "XML upload   $code $(sed 's/.*"message":"\([^"]*\)".*/\1/' "$tmp/answer")"
    code=$(ask --data-binary hello "$url/upload/storage/v1/b/bucket/o?uploadType=media&name=json")
    echo "JSON upload  $code"
    code=$(ask "$url/bucket/json")
    echo "XML download $code $(cat "$tmp/answer")"
)
echo "$seen"
want='XML upload   400 invalid uploadType
JSON upload  200
XML download 200 hello'
[ "$seen" = "$want" ] || { echo 'This has changed.'; exit 1; }
