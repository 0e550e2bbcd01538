#!/bin/bash
# buildah 1.28.2 (Debian 12): a range of ports stays a range in the config of the image.
#
# Behaviour: `EXPOSE 9000-9003/udp` gives ExposedPorts one key, "9000-9003/udp", in the OCI
# config and in the one for Docker.
#
# Expected: four keys. OCI image-spec 1.1 has a key for one port each ("8080",
# "8080/tcp", "53/udp"), and Docker's builder writes 9000/udp to 9003/udp for the same line.
# A reader that parses a key as a number and a protocol fails here.
#
# Seen:
#   OCI    8080/tcp 9000-9003/udp
#   Docker 8080/tcp 9000-9003/udp
#
# Needs buildah 1.28.2 (Debian 12 has it) and python3.
set -euo pipefail

buildah --version 2>/dev/null | grep -q 'version 1\.28\.2' || exit 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf 'FROM scratch\nEXPOSE 8080 9000-9003/udp\n' >"$tmp/Containerfile"
store=(--root "$tmp/storage" --runroot "$tmp/run" --storage-driver vfs)
buildah "${store[@]}" build --isolation chroot --quiet -t ports -f "$tmp/Containerfile" "$tmp" >"$tmp/id"
buildah "${store[@]}" inspect --type image ports >"$tmp/image.json"
seen=$(python3 - "$tmp/image.json" <<'P'
import json
import sys

image = json.load(open(sys.argv[1]))
for name, config in ("OCI", image["OCIv1"]), ("Docker", image["Docker"]):
    print(name.ljust(6), *sorted(config["config"]["ExposedPorts"]))
P
)
echo "$seen"
[ "$seen" = "OCI    8080/tcp 9000-9003/udp
Docker 8080/tcp 9000-9003/udp" ]
