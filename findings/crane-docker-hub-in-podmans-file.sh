#!/bin/bash
# crane 0.20.6 (github.com/google/go-containerregistry): credentials for Docker
# Hub in podman's file are not found.
#
# Behaviour: crane reads podman's `$XDG_RUNTIME_DIR/containers/auth.json` if
# docker has no configuration. It looks Docker Hub up as
# `https://index.docker.io/v1/` and as nothing else. Podman's key is `docker.io`,
# so crane finds nothing, while it finds another registry's entry in the same
# file.
#
# Expected: a tool that reads podman's file knows podman's name for Docker Hub.
#
# Seen:
#   podman, docker.io                 jane
#   podman, registry.example.com      jane
#   crane,  docker.io                 none
#   crane,  registry.example.com      jane
#   crane,  docker.io, docker's key   jane
#
# Needs go and podman (Debian's 4.3.1). The lookups use no network.
set -euo pipefail

tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
GOENV=off GOFLAGS=-trimpath GOTOOLCHAIN=go1.26.8 GOPATH=$tmp/go CGO_ENABLED=0 \
    go install github.com/google/go-containerregistry/cmd/crane@v0.20.6 || exit 2
command -v podman >/dev/null || { echo 'podman is not there'; exit 2; }

mkdir -p "$tmp/home" "$tmp/run/containers"
file=$tmp/run/containers/auth.json
unset DOCKER_CONFIG REGISTRY_AUTH_FILE

auth=$(printf 'jane:pass-word' | base64)
write() {
    printf '{"auths": {"%s": {"auth": "%s"}, "registry.example.com": {"auth": "%s"}}}\n' \
        "$1" "$auth" "$auth" >"$file"
}
podmans() { podman login --authfile "$file" --get-login "$1" || echo none; }
cranes() {
    local found
    found=$(HOME=$tmp/home XDG_RUNTIME_DIR=$tmp/run "$tmp/go/bin/crane" auth get "$1" 2>/dev/null) || true
    found=$(sed -n 's/.*"Username":"\([^"]*\)".*/\1/p' <<<"$found")
    echo "${found:-none}"
}

{
    write docker.io
    echo "podman, docker.io                 $(podmans docker.io)"
    echo "podman, registry.example.com      $(podmans registry.example.com)"
    echo "crane,  docker.io                 $(cranes docker.io)"
    echo "crane,  registry.example.com      $(cranes registry.example.com)"
    write https://index.docker.io/v1/
    echo "crane,  docker.io, docker's key   $(cranes docker.io)"
} >"$tmp/seen"

cat >"$tmp/expected" <<'EOF'
podman, docker.io                 jane
podman, registry.example.com      jane
crane,  docker.io                 none
crane,  registry.example.com      jane
crane,  docker.io, docker's key   jane
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
