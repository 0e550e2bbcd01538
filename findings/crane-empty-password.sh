#!/bin/bash
# crane 0.20.6 (github.com/google/go-containerregistry): an entry with a name
# and an empty password is found and then not sent.
#
# Behaviour: `auth` is base64 of `jane:`. `crane auth get` shows the entry, but a
# server that asks for Basic credentials gets no Authorization header at all.
# skopeo sends the same entry as it is.
#
# Expected: RFC 7617 allows an empty password, so crane sends the entry too. An
# error about the entry would also be clear; an anonymous request is neither.
#
# Seen (the Authorization of the requests for a manifest):
#   crane shows             {"Username":"jane","Secret":""}
#   crane,  jane:           none
#   skopeo, jane:           Basic amFuZTo=
#   crane,  jane:word       Basic amFuZTp3b3Jk
#   skopeo, jane:word       Basic amFuZTp3b3Jk
#
# Needs go, python3 and skopeo (Debian's 1.9.3).
set -euo pipefail

tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
GOENV=off GOFLAGS=-trimpath GOTOOLCHAIN=go1.26.8 GOPATH=$tmp/go CGO_ENABLED=0 \
    go install github.com/google/go-containerregistry/cmd/crane@v0.20.6 || exit 2
command -v skopeo >/dev/null || { echo 'skopeo is not there'; exit 2; }

# Asks everyone for Basic credentials, and notes what it gets.
cat >"$tmp/server.py" <<'EOF'
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "/manifests/" in self.path:
            with open(sys.argv[1], "a") as notes:
                print(self.headers.get("Authorization", "none"), file=notes)
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
EOF
mkfifo "$tmp/port"
python3 "$tmp/server.py" "$tmp/notes" >"$tmp/port" &
server=$!
read -r port <"$tmp/port"

export DOCKER_CONFIG=$tmp/docker
mkdir "$DOCKER_CONFIG"
write() {
    printf '{"auths": {"127.0.0.1:%s": {"auth": "%s"}}}\n' "$port" "$(printf %s "$1" | base64)" \
        >"$DOCKER_CONFIG/config.json"
}
# The server refuses everything, so the tools fail; only what they send counts.
sent() {
    : >"$tmp/notes"
    "$@" >/dev/null 2>&1 || true
    sort -u "$tmp/notes"
}
crane() { sent "$tmp/go/bin/crane" digest --insecure "127.0.0.1:$port/app:v1"; }
skopeo() {
    sent env skopeo inspect --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" \
        "docker://127.0.0.1:$port/app:v1"
}

{
    write jane:
    echo "crane shows             $("$tmp/go/bin/crane" auth get "127.0.0.1:$port")"
    echo "crane,  jane:           $(crane)"
    echo "skopeo, jane:           $(skopeo)"
    write jane:word
    echo "crane,  jane:word       $(crane)"
    echo "skopeo, jane:word       $(skopeo)"
} >"$tmp/seen"

cat >"$tmp/expected" <<'EOF'
crane shows             {"Username":"jane","Secret":""}
crane,  jane:           none
skopeo, jane:           Basic amFuZTo=
crane,  jane:word       Basic amFuZTp3b3Jk
skopeo, jane:word       Basic amFuZTp3b3Jk
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
