#!/usr/bin/env bash
# The figures of shared caches on Tekton's 8 images: ours with a shared cache against ko
# with a tarball of its caches, and `go build` with a full one as the floor. The cache and the
# tarball are in a registry behind a line of 1 Gbit/s with 5 ms more, all else is on this machine.
#
#   figures.sh prepare KO OURS       fills the cache, packs the tarballs: minutes
#   figures.sh SCENARIO [QUIET…]     same, empty, leaf, leaf-stamped, shared, shared-stamped,
#                                    next, serve-go, cold-ko, cold-ours, cold-ours-filling
#
# LAB is the directory of all of it, SEED a Go cache to begin with, such as that of
# `cargo xtask bench`. QUIET is a command that the measured part runs under. RUNS is where each
# run writes, if not in LAB: on a file system in memory, say, as ext4 is slow to find places for
# new files for minutes after many were deleted, which a new machine does not suffer from.
set -euo pipefail
LAB=${LAB:?a directory, which may be new}; root=$(cd "$(dirname "$0")/../.." && pwd); tools=$root/target/tools
modules=${GOMODCACHE:-$(go env GOMODCACHE)}
export GOENV=off GOTOOLCHAIN=local GOFLAGS= GOPROXY=file:///nowhere GOSUMDB=off CGO_ENABLED=0 GOMODCACHE=$modules
registry=127.0.0.1:5711

serve() { # the registry and the line to it, until this script ends
  mkdir -p "$LAB/registry"; put_back
  "$tools/registries/olareg" serve --addr 127.0.0.1 --port 5711 --dir "$LAB/registry" >"$LAB/olareg.log" 2>&1 &
  trap 'exec 9>&-; kill '$!'; put_back' EXIT
  until curl -s -o "$LAB/answer" "http://$registry/v2/"; do sleep 0.2; done
  rm -f "$LAB/in" "$LAB/link"; mkfifo "$LAB/in"
  "$root/target/release/stores" --link $registry <"$LAB/in" >"$LAB/link" &
  exec 9>"$LAB/in"
  until [ -s "$LAB/link" ]; do sleep 0.2; done
  line=$(head -1 "$LAB/link")
}

checkout() { # checkout NAME VERSION: a clone whose bases are here
  rm -rf "$LAB/$1"; cp -r "$modules/github.com/tektoncd/pipeline@$2" "$LAB/$1"; chmod -R u+w "$LAB/$1"
  sed -i -e "s#^defaultBaseImage:.*#defaultBaseImage: $registry/base#" \
    -e "s#^\(  github.com/[^:]*\): .*#\1: $registry/base#" "$LAB/$1/.ko.yaml"
  git -C "$LAB/$1" init -q; commit "$1" first
}
commit() {
  git -C "$LAB/$1" add -A
  GIT_AUTHOR_DATE="1700000000 +0000" GIT_COMMITTER_DATE="1700000000 +0000" \
    git -C "$LAB/$1" -c user.name=a -c user.email=a@example.com commit -qm "$2" --allow-empty
}
# What is edited lies where it was built, as a new clone does on a new machine; ko takes longer
# elsewhere.
put_aside() { new aside; mv "$LAB/tekton" "$LAB/aside"; }
put_back() { [ ! -d "$LAB/aside" ] || { new tekton; mv "$LAB/aside" "$LAB/tekton"; }; }
clone() { put_aside; git clone -q --no-local "$LAB/aside" "$LAB/tekton"; }
edit() { # edit CHECKOUT PACKAGE NAME
  printf 'package %s\n\nvar edited = "%s"\n\nfunc init() {\n\tif edited == "" {\n\t\tpanic(edited)\n\t}\n}\n' "$3" "$RANDOM" \
    >"$LAB/$1/$2/edited_here.go"
}

# A command with places of its own: as HOME, KOCACHE and GOCACHE below $LAB/$1.
as() { local at=$LAB/$1; shift; mkdir -p "$at/home" "$at/tmp"
  HOME=$at/home TMPDIR=$at/tmp KOCACHE=$at/ko GOCACHE=$at/go "$@"; }
build() { # build WHO PROGRAM CHECKOUT REPOSITORY [WORDS]
  local who=$1 program=$2 dir=$3 to=$4; shift 4
  (cd "$LAB/$dir" && KO_DOCKER_REPO=$registry/$to as "$who" "$program" resolve -R -f config --platform=linux/amd64 "$@" >"$LAB/out.$who" 2>"$LAB/err.$who") ||
    { tail -3 "$LAB/err.$who" >&2; exit 1; }
}
new() { [ -z "${RUNS:-}" ] || { rm -rf "${RUNS:?}/$1"; }; chmod -R u+w "$LAB/$1" 2>/dev/null || true; rm -rf "${LAB:?}/$1"; }

fresh() { new "$1"; [ -z "${RUNS:-}" ] || { mkdir -p "$RUNS/$1"; ln -s "$RUNS/$1" "$LAB/$1"; }; mkdir -p "$LAB/$1"; }

case ${1:?a scenario} in
prepare)
  (cd "$root" && cargo build --release --locked -p stores)
  mkdir -p "$LAB"; ln -sf "$(realpath "$2")" "$LAB/ko-theirs"; ln -sf "$(realpath "$3")" "$LAB/ko-ours"; serve
  echo x >"$LAB/f"; tar -C "$LAB" -cf "$LAB/f.tar" f
  "$tools/registries/crane" append --oci-empty-base -f "$LAB/f.tar" -t $registry/base:latest --platform linux/amd64 >"$LAB/answer"
  checkout tekton v1.9.0
  for way in stamped plain; do
    [ $way = plain ] && export GOFLAGS=-buildvcs=false
    # One Go cache for all: whoever comes later links, and no more.
    mkdir -p "$LAB/warm-$way" "$LAB/theirs-$way"; ln -sfn "$LAB/warm/go" "$LAB/warm-$way/go"; ln -sfn "$LAB/warm/go" "$LAB/theirs-$way/go"
    [ -d "$LAB/warm/go" ] || { mkdir -p "$LAB/warm"; [ -z "${SEED:-}" ] || cp -r --preserve=timestamps "$SEED" "$LAB/warm/go"; mkdir -p "$LAB/warm/go"; }
    build warm-$way "$LAB/ko-ours" tekton ours-$way --cache-to=oci://$registry/ko-cache-$way
    build theirs-$way "$LAB/ko-theirs" tekton theirs-$way
    tar -C "$LAB" -c --transform "s#^warm/#theirs-$way/#" "theirs-$way/ko" warm/go | zstd -q -T0 -3 -f -o "$LAB/$way.tar.zst"
    "$tools/registries/crane" append --oci-empty-base -f "$LAB/$way.tar.zst" -t $registry/tarball:$way --platform linux/amd64 >"$LAB/answer"
    sha256sum <"$LAB/$way.tar.zst" | cut -d' ' -f1 >"$LAB/$way.digest"
  done
  ls -l "$LAB"/*.tar.zst; du -sh "$LAB/warm/go"
  ;;
*)
  scenario=$1; shift; serve; way=plain
  case $scenario in same | empty | *-stamped) way=stamped ;; esac
  [ $way = plain ] && export GOFLAGS=-buildvcs=false
  fresh run-ours; fresh run-theirs; fresh floor
  case $scenario in
  leaf*) clone; edit tekton cmd/controller main; commit tekton leaf ;;
  shared*) clone; edit tekton pkg/apis/version version; commit tekton shared ;;
  next) put_aside; checkout tekton v1.9.1 ;;
  esac
  to=$way; [ $scenario = empty ] && to=$way-$RANDOM
  export -f as build new fresh; export LAB registry scenario way to line
  cat >"$LAB/measure.sh" <<'M'
set -euo pipefail
# What one has left for the disk is no burden of the next.
timed() { local name=$1; shift; sync; local TIMEFORMAT="$scenario: $name: %R s, CPU %U + %S s"; time "$@"; }
ours() { build run-ours "$LAB/ko-ours" tekton ours-$to --cache-from=oci://$line/ko-cache-$way --explain --timings="$LAB/timings.json"; }
theirs() { curl -s "http://$line/v2/tarball/blobs/sha256:$(<"$LAB/$way.digest")" | zstd -qdc | tar -C "$LAB/run-theirs" -x --strip-components=1; build run-theirs "$LAB/ko-theirs" tekton theirs-$to; }
floor() { (cd "$LAB/tekton" && GOCACHE=$LAB/warm/go go build -trimpath -o "$LAB/floor" "$@"); }
case $scenario in
cold-ko) timed ko build run-theirs "$LAB/ko-theirs" tekton cold-theirs ;;
cold-ours) timed ours build run-ours "$LAB/ko-ours" tekton cold-ours ;;
cold-ours-filling) timed "ours, filling" build run-ours "$LAB/ko-ours" tekton cold-ours-filling --cache-to=oci://$line/ko-cache-$RANDOM ;;
serve-go)
  cd "$LAB/tekton"; build="go build -trimpath -o $LAB/floor ./cmd/..."
  as warm "$LAB/ko-ours" cache serve-go --cache-to=oci://$registry/ko-cache-serve -- $build
  fresh run-ours; fresh floor
  as run-ours timed "go build, all from the cache" "$LAB/ko-ours" cache serve-go --cache-from=oci://$line/ko-cache-serve -- $build
  # What is linked already is not linked again.
  fresh floor
  as run-ours timed "go build, full cache" $build ;;
*)
  timed ours ours
  timed "ko, restored" theirs
  case $scenario in
  leaf) timed "go build, full cache" floor ./cmd/controller ;;
  leaf-stamped | shared* | next) timed "go build, full cache" floor ./cmd/... ;;
  esac ;;
esac
M
  "$@" bash "$LAB/measure.sh"
  case $scenario in cold* | serve-go) ;; *)
    grep -A6 '"shared_caches"' "$LAB/timings.json" | tr -d '\n '; echo; stat -c "tarball: %s bytes" "$LAB/$way.tar.zst"
  esac
  ;;
esac
