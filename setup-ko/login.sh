#!/usr/bin/env bash
# Says where images go, unless the workflow does: to ghcr.io, below the name of the
# repository, with the token of the run.
set -euo pipefail

if [ -n "${KO_DOCKER_REPO:-}" ]; then
  echo "images go to KO_DOCKER_REPO=$KO_DOCKER_REPO: there is no login to ghcr.io"
  echo "KO_DOCKER_REPO=$KO_DOCKER_REPO" >>"$GITHUB_ENV"
  exit
fi
# The token counts, and no name.
printf '%s' "$GH_TOKEN" | ko login ghcr.io --username dummy --password-stdin
repository=$(printf 'ghcr.io/%s' "$GITHUB_REPOSITORY" | tr '[:upper:]' '[:lower:]')
echo "images go to KO_DOCKER_REPO=$repository"
echo "KO_DOCKER_REPO=$repository" >>"$GITHUB_ENV"
