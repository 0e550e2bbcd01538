#!/bin/bash
# Go 1.26.8: `CGO_ENABLED=0 go build -buildmode=pie` for Linux makes a program that does
# not start in an empty image.
#
# Behaviour: the program names a dynamic linker (PT_INTERP), though it needs no library at
# all (no DT_NEEDED). The kernel starts that linker, so where its file is missing, as in
# `scratch` or a distroless static base, it says ENOENT, and the shell or the container
# runtime says that the *program* is not found. On linux/arm64 it is the same.
#
# Expected: CGO_ENABLED=0 is how one asks for a static program, and without `-buildmode`
# one gets it. A static PIE, which starts itself (as `rustc` and `gcc -static-pie` make),
# has no PT_INTERP.
#
# Seen:
#   exe linux/amd64  interpreter none                        needed 0
#   pie linux/amd64  interpreter /lib64/ld-linux-x86-64.so.2 needed 0
#   exe linux/arm64  interpreter none                        needed 0
#   pie linux/arm64  interpreter /lib/ld-linux-aarch64.so.1  needed 0
#   exe in an empty root: hello
#   pie in an empty root: No such file or directory
#
# Needs go, readelf, and root or user namespaces for the last two lines.
set -euo pipefail

command -v readelf >/dev/null && command -v unshare >/dev/null || exit 2
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export GOENV=off GOFLAGS= GOTOOLCHAIN=go1.26.8 GOPATH=$tmp/go GOCACHE=$tmp/cache CGO_ENABLED=0
[ "$(go env GOVERSION)" = go1.26.8 ] || { echo "go 1.26.8 is not to be had"; exit 2; }

mkdir "$tmp/app" "$tmp/empty" && cd "$tmp/app"
printf 'module example.com/app\n\ngo 1.26\n' >go.mod
printf 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("hello\\n") }\n' >main.go

seen=$(
    for arch in amd64 arm64; do
        for mode in exe pie; do
            out=$tmp/empty/$mode.$arch
            GOOS=linux GOARCH=$arch go build -buildmode=$mode -o "$out" .
            interpreter=$(readelf -lW "$out" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
            needed=$(readelf -dW "$out" | grep -c NEEDED || true)
            printf '%s linux/%s  interpreter %-27s needed %s\n' \
                $mode $arch "${interpreter:-none}" "$needed"
        done
    done
    machine=$(go env GOHOSTARCH)
    for mode in exe pie; do
        said=$(LC_ALL=C unshare --user --map-root-user --root="$tmp/empty" /$mode.$machine 2>&1 || true)
        echo "$mode in an empty root: ${said##*: }"
    done
)
echo "$seen"
want='exe linux/amd64  interpreter none                        needed 0
pie linux/amd64  interpreter /lib64/ld-linux-x86-64.so.2 needed 0
exe linux/arm64  interpreter none                        needed 0
pie linux/arm64  interpreter /lib/ld-linux-aarch64.so.1  needed 0
exe in an empty root: hello
pie in an empty root: No such file or directory'
[ "$seen" = "$want" ] || { echo 'This has changed.'; exit 1; }
