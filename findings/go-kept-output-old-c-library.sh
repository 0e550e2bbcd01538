#!/bin/bash
# Go 1.26.8: `go build -o FILE` keeps an old program when a C library changed,
# even after `go clean -cache`.
#
# Behaviour: if FILE is there and carries the build ID that go computes for the
# link, go leaves it as it is. The inputs of the C linker (here a static library
# that `#cgo LDFLAGS` names) are not part of that ID. So the same command with
# another `-o`, where nothing stands yet, gives a different program.
#
# Expected: `go help cache` says that the *cache* does not detect changes to C
# libraries, and that cleaning it or `-a` helps. But go takes FILE itself for a
# cached result, so cleaning does not help; `-a`, another name for FILE or removing
# it does.
#
# Seen (the library's function returns 1, then 2):
#   first build                       1
#   library changed, same -o          1
#   cache cleaned, same -o            1
#   same command, new -o              2
#   same -o, with -a                  2
#
# Needs go, gcc and ar.
set -euo pipefail

tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export GOENV=off GOFLAGS= GOTOOLCHAIN=go1.26.8 GOPATH=$tmp/go GOCACHE=$tmp/cache CGO_ENABLED=1
unset GO_EXTLINK_ENABLED
[ "$(go env GOVERSION)" = go1.26.8 ] || { echo "go 1.26.8 is not to be had"; exit 2; }

mkdir -p "$tmp/app/lib"
cd "$tmp/app"
printf 'module example.com/app\n\ngo 1.26\n' >go.mod
cat >main.go <<'EOF'
package main

// #cgo LDFLAGS: -L${SRCDIR}/lib -lanswer
// int answer(void);
import "C"

func main() { println(int(C.answer())) }
EOF

library() {
    echo "int answer(void) { return $1; }" >"$tmp/answer.c"
    gcc -c -o "$tmp/answer.o" "$tmp/answer.c"
    rm -f lib/libanswer.a
    ar rcs lib/libanswer.a "$tmp/answer.o"
}
report() { printf '%-33s %s\n' "$1" "$("$2" 2>&1)"; }

{
    library 1
    go build -o app .
    report 'first build' ./app
    library 2
    go build -o app .
    report 'library changed, same -o' ./app
    go clean -cache
    go build -o app .
    report 'cache cleaned, same -o' ./app
    go build -o other .
    report 'same command, new -o' ./other
    go build -a -o app .
    report 'same -o, with -a' ./app
} >"$tmp/seen"

cat >"$tmp/expected" <<'EOF'
first build                       1
library changed, same -o          1
cache cleaned, same -o            1
same command, new -o              2
same -o, with -a                  2
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
