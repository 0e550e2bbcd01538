#!/bin/bash
# minisign 0.11 (Debian 12): the file of a secret key without a password has no checksum.
#
# Behaviour: `minisign -G -W` writes zeros where the format has the BLAKE2b-256 checksum of
# algorithm, key ID and keys, and the same in place of the salt. The algorithm of the
# derivation is two zero bytes, too. minisign itself signs with such a key.
#
# Expected: the checksum, which tells a damaged file from a good one. The description of
# the format has no exception for it. A reader that checks it refuses each key
# without a password; one that does not takes a damaged one.
#
# Seen:
#   derivation 0000, salt 0, checksum in the file 0, it would be 32 other bytes
#   signs and verifies
#
# Needs minisign 0.11 (Debian 12 has it) and python3.
set -euo pipefail

minisign -v 2>/dev/null | grep -q 'minisign 0\.11' || exit 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
minisign -G -W -p key.pub -s key.sec >said
seen=$(python3 - <<'P'
import base64
import hashlib

key = base64.b64decode(open("key.sec").read().split("\n")[1])
algorithm, derivation, salt = key[:2], key[2:4], key[6:38]
identity, pair, checksum = key[54:62], key[62:126], key[126:]
wanted = hashlib.blake2b(algorithm + identity + pair, digest_size=32).digest()
print(f"derivation {derivation.hex()}, salt {int.from_bytes(salt, 'big')}, checksum in the file "
      f"{int.from_bytes(checksum, 'big')}, it would be {len(wanted)} other bytes")
P
)
echo text >file
minisign -S -s key.sec -m file >said
minisign -V -p key.pub -m file >said && seen+=$'\nsigns and verifies'
echo "$seen"
[ "$seen" = "derivation 0000, salt 0, checksum in the file 0, it would be 32 other bytes
signs and verifies" ]
