#!/usr/bin/env bash
# How a static ko finds the addresses of registries: it has musl's resolver, which asks
# the servers of /etc/resolv.conf and knows nothing of nsswitch.conf.
#
#   tools/xtask/src/cross/names.sh KO
#
# It takes root, for a name server of its own in a network of its own.
set -euo pipefail

if [ "${2:-}" != inside ]; then
  exec unshare --mount --net "$0" "$(realpath "$1")" inside
fi

ko=$1
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT

ip link set lo up
printf 'nameserver 127.0.0.1\nsearch corp.example\n' >"$dir/resolv.conf"
printf '127.0.0.1 localhost listed.internal\n' >"$dir/hosts"
mount --bind "$dir/resolv.conf" /etc/resolv.conf
mount --bind "$dir/hosts" /etc/hosts

# Has an address for three names, and of all others it says that there are none.
cat >"$dir/server.py" <<'PY'
import socket, struct

KNOWN = {"registry.local", "team.corp.example", "two.parts.corp.example"}
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(512)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    known = ".".join(labels).lower() in KNOWN
    (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
    address = known and kind == 1
    answer = query[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, address, 0, 0)
    answer += question
    if address:
        answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + bytes([127, 0, 0, 1])
    server.sendto(answer, client)
PY
mkfifo "$dir/ready"
python3 "$dir/server.py" >"$dir/ready" &
server=$!
read -r _ <"$dir/ready"

gocache=$(go env GOCACHE)
mkdir "$dir/work"
cd "$dir/work"
printf 'module example.com/names\n\ngo 1.24\n' >go.mod
printf 'package main\n\nfunc main() {}\n' >main.go

# Nothing listens at port 1, so a name that has an address is refused a connection.
try() {
  local name=$1 expected=$2 said
  said=$(HOME=$dir KOCACHE=$dir/cache GOCACHE=$gocache GOENV=off GOTOOLCHAIN=local KO_DEFAULTBASEIMAGE=ko.static \
    KO_DOCKER_REPO=$name:1/x "$ko" build . 2>&1) && said="it was built: $said"
  case $expected:$said in
    found:*refused* | unknown:*"lookup address"* | unknown:*"resolve"*) echo "$name: $expected" ;;
    *)
      echo "FAIL: $name is not $expected: $said" >&2
      exit 1
      ;;
  esac
}

try listed.internal found
try registry.local found
try team found
# A name with a dot is taken as it is: musl appends the domains of `search` to others alone.
try two.parts unknown
try nowhere.example unknown
