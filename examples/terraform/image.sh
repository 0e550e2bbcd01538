#!/bin/sh
# Builds package $2, pushes it to repository $1, and answers as Terraform's external data
# source wants it: one object of strings.
set -eu

image=$(KO_DOCKER_REPO=$1 ko build --bare "$2")
printf '{"image": "%s"}\n' "$image"
