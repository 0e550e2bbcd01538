#!/usr/bin/env bash
# Measures signing and verifying: `tools/bench/signing.sh KO ROUNDS [REGISTRY]` prints medians
# in milliseconds, each pair of sides in turn. It wants the tools that `cargo xtask test --only
# setup` installs, and takes a registry on loopback and a directory that goes with it: olareg,
# or crane's, which lists no referrers, so that each list is looked at again after a pause.
set -euo pipefail
ko=$(realpath "$1") rounds=${2:-7} kind=${3:-olareg}
tools=$(cd "$(dirname "$0")/../../target/tools" && pwd)
dir=$(mktemp -d) port=5997 host=127.0.0.1:5997
case $kind in
olareg) mkdir "$dir/registry"; exec "$tools/registries/olareg" serve --addr 127.0.0.1 --port "$port" --dir "$dir/registry" ;;
crane) PORT=$port exec "$tools/registries/crane" registry serve --address "$host" ;;
esac >/dev/null 2>&1 &
registry=$!
trap 'kill $registry; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir/home KOCACHE=$dir/ko GOCACHE=$dir/go GOFLAGS=-buildvcs=false GOENV=off
export GOTOOLCHAIN=local COSIGN_PASSWORD='' KO_DOCKER_REPO=$host/out DOCKER_CONFIG=$dir/home
mkdir -p home src/lib && cd src
printf 'module example.com/app\n\ngo 1.21\n' >go.mod
printf 'package lib\n\nconst Word = "one"\n' >lib/lib.go
for name in a b c d e f g h; do
  mkdir -p cmd/$name
  printf 'package main\n\nimport "example.com/app/lib"\n\nfunc main() { println("%s", lib.Word) }\n' $name >cmd/$name/main.go
done
until curl -fs "http://$host/v2/" >/dev/null; do :; done
echo x >file && tar cf layer.tar file
"$tools/registries/crane" append --oci-empty-base -f layer.tar -t "$host/base" >/dev/null 2>&1
export KO_DEFAULTBASEIMAGE=$host/base
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem 2>/dev/null
"$tools/cosign" generate-key-pair >/dev/null 2>&1
echo '{"buildDefinition":{"buildType":"https://example.com","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.com"}}}' >predicate.json

ms() { local begin; begin=$(date +%s%N); "$@" >/dev/null 2>>"$dir/log" || { tail "$dir/log"; exit 1; }; took=$((($(date +%s%N) - begin) / 100000)); }
median() { sort -n | awk '{ all[NR] = $1 } END { printf "%.1f", all[int((NR + 1) / 2)] / 10 }'; }
# pair NAME ONE OTHER: medians of two functions of a round's number, in turn.
pair() {
  : >one; : >other
  for round in $(seq "$rounds"); do
    ms "$2" "$round"; echo "$took" >>one
    ms "$3" "$round"; echo "$took" >>other
  done
  local one other; one=$(median <one) other=$(median <other)
  echo "$1: $one ms, $other ms: difference $(echo "$other - $one" | bc) ms, ratio $(echo "scale=2; $one / $other" | bc)"
}
eight() { "$ko" build -B --sbom=none "$@" ./cmd/{a,b,c,d,e,f,g,h}; }
changed() { eight --image-label="plain=$1"; }
changed_signed() { eight --image-label="signed=$1" --sign --signing-key=key.pem; }
same() { eight; }
same_signed() { eight --sign --signing-key=key.pem; }
edit() { printf 'package lib\n\nconst Word = "%s"\n' "$1" >lib/lib.go; }
signing() { "$tools/cosign" "$1" --key cosign.key -y --tlog-upload=false --use-signing-config=false --new-bundle-format=false --allow-http-registry "${@:2}"; }
theirs() {
  local image; image=$("$tools/ko" build -B --sbom=none ./cmd/a 2>>"$dir/log")
  signing sign "$image" && signing attest --type slsaprovenance1 --predicate predicate.json "$image"
}
ours() { "$ko" build -B --sbom=none --sign --provenance --signing-key=key.pem ./cmd/a; }
theirs_edited() { edit "theirs-$1"; theirs; }
ours_edited() { edit "ours-$1"; ours; }
cold_go() { chmod -R u+w cold 2>/dev/null || :; rm -rf cold; GOCACHE=$PWD/cold CGO_ENABLED=0 go build -trimpath -o /dev/null ./cmd/a; }
verify() { "$ko" verify "$@" --source=. "$host/out/a"; }
cold() { verify; }
cached() { verify --trust-cache; }

same && same_signed && ours && theirs >/dev/null 2>&1
pair "8 images, changed: without and with a signature" changed changed_signed
pair "8 images, as they were: without and with" same same_signed
pair "signed and proven, as it was: ko and cosign, ours" theirs ours
pair "signed and proven, edited: ko and cosign, ours" theirs_edited ours_edited
edit one; ours >/dev/null 2>&1
rounds=$(((rounds + 2) / 3))
pair "ko verify, cold go build" cold cold_go
ms cached; ms cached; echo "ko verify --trust-cache: $(echo "$took" | median) ms"
