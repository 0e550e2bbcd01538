#!/bin/sh
# Installs ko @VERSION@ for one user, without privileges:
#
#   sh install.sh             downloads the archive of this machine
#   sh install.sh ARCHIVE     takes one that is there already
#
# PREFIX       where to: PREFIX/bin/ko, and manual pages and completions below
#              PREFIX/share (default: ~/.local)
# KO_BASE_URL  where archives are: an address of http, https or file
#
# The sums of the archives are in this script, so who trusts it can trust them.
set -eu

version='@VERSION@'
base_url=${KO_BASE_URL:-'@URL@'}
sums='@SUMS@'

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

# This machine, as the names of archives have it.
machine() {
  system=$(uname -s)
  processor=$(uname -m)
  case $processor in
    x86_64 | amd64) processor=x86_64 ;;
    aarch64 | arm64) processor=arm64 ;;
  esac
  # A shell that runs under Rosetta sees another processor than there is.
  if [ "$system" = Darwin ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null)" = 1 ]; then
    processor=arm64
  fi
  echo "${system}_$processor"
}

# The sum that an archive must have; nothing if the archive is unknown.
sum_of() {
  echo "$sums" | while read -r sum name; do
    if [ "$name" = "$1" ]; then echo "$sum"; fi
  done
}

sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1"
  elif command -v shasum >/dev/null; then
    shasum -a 256 <"$1"
  elif command -v openssl >/dev/null; then
    openssl dgst -sha256 -r <"$1"
  else
    fail "sha256sum, shasum or openssl is needed to check the archive"
  fi
}

download() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1"
  else
    fail "curl or wget is needed to download $1"
  fi
}

# Puts a file in its place at once: a ko that is running keeps its own.
place() {
  mkdir -p "${2%/*}"
  cp "$1" "$2.new.$$"
  chmod "$3" "$2.new.$$"
  mv -f "$2.new.$$" "$2"
}

main() {
  prefix=${PREFIX:-${HOME:?is not set: set PREFIX}/.local}
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  # The archive without a C library's name needs none.
  plain=ko_${version}_$(machine).tar.gz
  gnu=ko_${version}_$(machine)_gnu.tar.gz
  if [ $# -gt 0 ]; then
    archive=$1
    name=${archive##*/}
    [ -f "$archive" ] || fail "$archive is no file"
    case $name in
      "$plain" | "$gnu") ;;
      *) fail "$name is neither $plain nor $gnu" ;;
    esac
  else
    name=$plain
    [ -n "$(sum_of "$name")" ] || name=$gnu
    archive=$dir/$name
  fi
  expected=$(sum_of "$name")
  [ -n "$expected" ] || fail "there is no ko $version for $(machine), only:
$sums"
  if [ $# -eq 0 ]; then
    [ -n "$base_url" ] || fail "set KO_BASE_URL to where $name is, or give its path"
    download "${base_url%/}/$name" "$archive" || fail "${base_url%/}/$name cannot be downloaded"
  fi
  actual=$(sha256 "$archive")
  actual=${actual%% *}
  [ "$actual" = "$expected" ] || fail "$name is damaged, or another file: its SHA-256 is
$actual instead of
$expected"

  mkdir "$dir/ko"
  tar -xzf "$archive" -C "$dir/ko"
  hint=
  if [ "$name" = "$gnu" ]; then
    hint="
It may need a newer C library"
    if [ -n "$(sum_of "$plain")" ]; then hint="$hint: $plain needs none"; fi
  fi
  "$dir/ko/ko" version >/dev/null 2>"$dir/error" || fail "this ko does not run here:
$(cat "$dir/error")$hint"

  place "$dir/ko/ko" "$prefix/bin/ko" 755
  for page in "$dir/ko/man"/*.1; do
    place "$page" "$prefix/share/man/man1/${page##*/}" 644
  done
  place "$dir/ko/completions/ko.bash" "$prefix/share/bash-completion/completions/ko" 644
  place "$dir/ko/completions/ko.fish" "$prefix/share/fish/vendor_completions.d/ko.fish" 644
  place "$dir/ko/completions/_ko" "$prefix/share/zsh/site-functions/_ko" 644
  echo "installed ko $version as $prefix/bin/ko"

  found=$(command -v ko || true)
  if [ -z "$found" ]; then
    echo "PATH lacks $prefix/bin: add it"
  elif ! [ "$found" -ef "$prefix/bin/ko" ]; then
    echo "PATH has another ko first: $found ($("$found" version 2>/dev/null || echo unknown version))"
  fi
}

main "$@"
