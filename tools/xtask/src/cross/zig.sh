#!/bin/sh
# Stands for Apple's clang, which compiles C and links, and for ar: ZIG is zig, and SDKROOT
# has the stubs. zig takes the processor and the oldest macOS from its own `-target` alone:
# `-mmacosx-version-min` has no effect on it, and other words of clang for them are errors.
# Unlike clang, it stops programs without optimisation where C is undefined, unless told.
set -eu
case ${1-} in cq | cqD | s | sD) exec "$ZIG" ar "$@" ;; esac
processor=aarch64 version= previous=
for word; do
  shift
  case $previous$word in
  -arch) previous=-arch && continue ;;
  -archx86_64 | --target=x86_64-*) processor=x86_64 ;;
  -archarm64 | --target=arm64-*) ;;
  -mmacosx-version-min=*) version=.${word#*=} ;;
  # What is linked is stripped too: what did it afterwards would have to sign again.
  -Wl,-dead_strip) set -- "$@" "$word" -Wl,-S,-x ;;
  *) set -- "$@" "$word" ;;
  esac
  previous=
done
exec "$ZIG" cc -target "$processor-macos$version" -fno-sanitize=undefined \
  "-F$SDKROOT/System/Library/Frameworks" "-L$SDKROOT/usr/lib" "$@"
