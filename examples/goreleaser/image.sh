#!/bin/sh
# goreleaser calls this for each binary, several at a time: for platform $1, in file $2, of
# version $3. When all TARGETS are there, ko puts them into one index. KO_DOCKER_REPO says
# where.
set -eu

list=$(dirname "$(dirname "$2")")/images.txt
printf -- '--prebuilt=%s=%s\n' "$1" "$2" >>"$list"
if [ "$(wc -l <"$list")" -lt "$TARGETS" ]; then
  exit 0
fi
# Of those that see the whole list, one goes on.
mkdir "$list.taken" 2>/dev/null || exit 0

# Paths of goreleaser have no spaces.
# shellcheck disable=SC2046
exec ko build --bare --tags="$3" $(cat "$list") ../hello
