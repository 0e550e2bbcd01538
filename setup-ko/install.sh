#!/usr/bin/env bash
# Installs ko on a runner of GitHub Actions: as /usr/local/bin/ko where that can be
# written, or else in a directory of its own that later steps have in PATH.
set -euo pipefail

fail() {
  echo "::error::$1"
  exit 1
}

case $RUNNER_OS in
  Linux) system=Linux end=.tar.gz program=ko ;;
  macOS) system=Darwin end=.tar.gz program=ko ;;
  Windows) system=Windows end=.zip program=ko.exe ;;
  *) fail "there is no ko for $RUNNER_OS" ;;
esac
case $RUNNER_ARCH in
  X64) processor=x86_64 ;;
  ARM64) processor=arm64 ;;
  *) fail "there is no ko for $RUNNER_ARCH" ;;
esac

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
get() {
  curl --fail --silent --show-error --location --retry 3 --output "$dir/$1" "$url/$1"
}

case $KO_VERSION in
  tip)
    cargo install --quiet --locked --git "$REPOSITORY" --root "$dir" ko
    mv "$dir/bin/$program" "$dir/$program"
    ;;
  *)
    tag=$KO_VERSION
    if [ "$tag" = latest-release ] && [ -z "$KO_BASE_URL" ]; then
      # The address of the latest release leads to the one of its tag.
      latest=$(curl --fail --silent --show-error --location --retry 3 --output "$dir/page" \
        --write-out '%{url_effective}' "$REPOSITORY/releases/latest")
      tag=${latest##*/}
    fi
    url=${KO_BASE_URL:-$REPOSITORY/releases/download/$tag}
    get checksums.txt || fail "there is no release $tag at $url"
    # The archive that needs no C library, if there is one.
    line=$(grep -E "  ko_[^_]+_${system}_$processor\\$end\$" "$dir/checksums.txt" ||
      grep -E "  ko_[^_]+_${system}_${processor}_gnu\\$end\$" "$dir/checksums.txt" ||
      fail "the release $tag has no ko for $RUNNER_OS on $RUNNER_ARCH")
    name=${line#*  }
    get "$name"
    if command -v sha256sum >/dev/null; then sums=sha256sum; else sums="shasum -a 256"; fi
    (cd "$dir" && echo "$line" | $sums -c - >/dev/null) || fail "$name is damaged, or another file"
    if [ "$system" = Windows ]; then
      unzip -q "$dir/$name" "$program" -d "$dir"
    else
      tar -xzf "$dir/$name" -C "$dir" "$program"
    fi
    ;;
esac

place=/usr/local/bin
sudo=
if [ "$USE_SUDO" = true ] && command -v sudo >/dev/null; then sudo=sudo; fi
if [ -n "$sudo" ] || [ -w "$place" ]; then
  $sudo install -m 755 "$dir/$program" "$place/$program"
else
  place=$RUNNER_TEMP/ko/bin
  mkdir -p "$place"
  mv "$dir/$program" "$place/$program"
fi
echo "$place" >>"$GITHUB_PATH"

version=$("$place/$program" version)
cache=${KOCACHE:-$RUNNER_TEMP/ko-cache}
mkdir -p "$cache"
echo "KOCACHE=$cache" >>"$GITHUB_ENV"
echo "version=$version" >>"$GITHUB_OUTPUT"
echo "cache=$cache" >>"$GITHUB_OUTPUT"
echo "installed ko $version as $place/$program"
