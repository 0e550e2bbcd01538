#!/bin/bash
# docker-registry 2.8.2 (Debian 12, distribution): an upload whose PATCH broke off
# cannot be asked how far it got: it is answered with 404, though it is there.
#
# Behaviour: the connection of a PATCH ends in the middle of its body. The registry
# keeps what had come (`_uploads/ID/data` has it), but answers GET, PATCH and PUT at
# the last `Location` with 404 BLOB_UPLOAD_INVALID ("upload resumed at wrong offset" in
# its log): the `_state` in there still says 0, and a newer one was never sent.
#
# Expected: 204 with `Range: 0-1499999`, as distribution-spec 1.1 has it ("Pushing a
# blob in chunks": a GET of the location tells the end of what was received).
# distribution 3.1.2 does that. A client that wants to go on has to begin anew at such
# a 404.
#
# Seen:
#   GET before the PATCH   204 0-0
#   kept                   1500000 of 2000000 bytes
#   GET                    404 BLOB_UPLOAD_INVALID
#   PATCH with the rest    404 BLOB_UPLOAD_INVALID
#
# Needs docker-registry (Debian) and python3.
set -euo pipefail

command -v docker-registry >/dev/null || { echo 'docker-registry is not there'; exit 2; }
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$tmp"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$tmp/config.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $tmp/root}}
http: {addr: '127.0.0.1:$port'}
YML
docker-registry serve "$tmp/config.yml" >"$tmp/log" 2>&1 &
server=$!

cat >"$tmp/client.py" <<'PY'
import http.client
import json
import pathlib
import socket
import sys
import time

PORT, DIR = int(sys.argv[1]), pathlib.Path(sys.argv[2])
SIZE, SENT = 2_000_000, 1_500_000


def wait(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(2)


def listens():
    with socket.socket() as wire:
        return wire.connect_ex(("127.0.0.1", PORT)) == 0


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    kind = {"Content-Type": "application/octet-stream"} if body else {}
    connection.request(method, path, body, kind)
    answer = connection.getresponse()
    text = answer.read()
    said = answer.headers.get("Range") or (text and json.loads(text)["errors"][0]["code"])
    return answer.headers.get("Location"), f"{answer.status} {said}"


wait(listens)
location, _ = ask("POST", "/v2/app/blobs/uploads/")
location = location[location.index("/v2/"):]
print("GET before the PATCH  ", ask("GET", location)[1])
with socket.create_connection(("127.0.0.1", PORT)) as wire:
    head = f"PATCH {location} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Length: {SIZE}\r\n"
    wire.sendall(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + bytes(SENT))
# The registry has noticed, and is done with it.
wait(lambda: "response completed with error" in (DIR / "log").read_text())
kept = sum(path.stat().st_size for path in DIR.glob("root/**/_uploads/*/data"))
print(f"kept                   {kept} of {SIZE} bytes")
print("GET                   ", ask("GET", location)[1])
print("PATCH with the rest   ", ask("PATCH", location, bytes(SIZE - SENT))[1])
PY
python3 "$tmp/client.py" "$port" "$tmp" >"$tmp/seen" || exit 2
cat >"$tmp/expected" <<'EOS'
GET before the PATCH   204 0-0
kept                   1500000 of 2000000 bytes
GET                    404 BLOB_UPLOAD_INVALID
PATCH with the rest    404 BLOB_UPLOAD_INVALID
EOS
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
