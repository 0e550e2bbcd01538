#!/bin/bash
# Go 1.26.8: `go env` reports GO_EXTLINK_ENABLED from go's configuration file, but
# the linker does not obey it.
#
# Behaviour: `go env -w GO_EXTLINK_ENABLED=1` succeeds, and `go env` shows 1. But
# the linker reads the process's environment alone, and `go build` does not hand
# the value on, so the C linker does not run.
#
# Expected: what `go env` shows is what the build uses, as with every other
# variable that `go env -w` takes.
#
# Seen (a linker named by -extld notes that it runs):
#   not set                    internal
#   set by go env -w, shown    1
#   set by go env -w           internal
#   set in the environment     external
#
# Needs go and gcc.
set -euo pipefail

tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export GOENV=$tmp/goenv GOFLAGS= GOTOOLCHAIN=go1.26.8 GOPATH=$tmp/go CGO_ENABLED=1
unset GO_EXTLINK_ENABLED
[ "$(go env GOVERSION)" = go1.26.8 ] || { echo "go 1.26.8 is not to be had"; exit 2; }

mkdir "$tmp/app"
cd "$tmp/app"
printf 'module example.com/app\n\ngo 1.26\n' >go.mod
cat >main.go <<'EOF'
package main

import _ "runtime/cgo"

func main() {}
EOF
cat >"$tmp/extld" <<EOF
#!/bin/sh
touch "$tmp/ran"
exec gcc "\$@"
EOF
chmod +x "$tmp/extld"

linked() {
    rm -f app "$tmp/ran"
    go build -ldflags="-extld=$tmp/extld" -o app .
    if [ -e "$tmp/ran" ]; then echo external; else echo internal; fi
}
report() { printf '%-26s %s\n' "$1" "$2"; }

{
    report 'not set' "$(linked)"
    go env -w GO_EXTLINK_ENABLED=1
    report 'set by go env -w, shown' "$(go env GO_EXTLINK_ENABLED)"
    report 'set by go env -w' "$(linked)"
    export GO_EXTLINK_ENABLED=1
    report 'set in the environment' "$(linked)"
} >"$tmp/seen"

cat >"$tmp/expected" <<'EOF'
not set                    internal
set by go env -w, shown    1
set by go env -w           internal
set in the environment     external
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
