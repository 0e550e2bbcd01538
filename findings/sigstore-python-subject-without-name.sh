#!/bin/bash
# sigstore 4.5.1 (PyPI): an in-toto statement whose subject has a digest and no name is
# refused.
#
# Behaviour: `sigstore.dsse.Statement` raises "malformed in-toto statement: … subject.0.name:
# Field required". So `sigstore verify` refuses bundles of image signatures as cosign 3
# writes them, whose subject is a digest alone.
#
# Expected: accepted. In-toto's statement v1 demands the digest of a subject; its name is
# optional.
#
# Seen:
#   name and digest accepted
#   digest          refused
#
# Needs python3.
set -euo pipefail

command -v python3 >/dev/null || exit 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/pip" install --quiet sigstore==4.5.1 || exit 2

seen=$("$tmp/venv/bin/python" - <<'PY'
import json
from sigstore.dsse import Statement

digest = {"sha256": "0" * 64}
for case, subject in [("name and digest", {"name": "app", "digest": digest}), ("digest", {"digest": digest})]:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": "https://example.com/predicate",
        "predicate": {},
    }
    try:
        Statement(json.dumps(statement).encode())
        print(f"{case:15} accepted")
    except Exception:
        print(f"{case:15} refused")
PY
)
echo "$seen"
want='name and digest accepted
digest          refused'
[ "$seen" = "$want" ] || { echo 'This has changed.'; exit 1; }
