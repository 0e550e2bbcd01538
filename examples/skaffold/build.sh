#!/bin/sh
# Builds a package for skaffold, which says in variables what it wants.
#
#   IMAGE        the name of the image, with a tag
#   PUSH_IMAGE   true if it goes to its registry; else Docker gets it
#   PLATFORMS    platforms with commas between them, or nothing
set -eu

tag=${IMAGE##*:}
repository=${IMAGE%:*}
if [ "${PUSH_IMAGE:-}" != true ]; then
  repository=docker://$repository
fi
KO_DOCKER_REPO=$repository
export KO_DOCKER_REPO
exec ko build --bare --tags="$tag" ${PLATFORMS:+--platform="$PLATFORMS"} "$1"
