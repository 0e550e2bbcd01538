#!/bin/sh
# Stands for clang, which compiles C and links, and for ar: ZIG is zig, ZIG_TARGET what it
# compiles for, and SDKROOT has the stubs of macOS. zig takes the processor and the oldest
# macOS from its own `-target` alone: `-mmacosx-version-min` has no effect on it, and other
# words of clang for them are errors. Unlike clang, it stops programs without optimisation
# where C is undefined, unless told.
set -eu
case ${1-} in cq | cqD | s | sD) exec "$ZIG" ar "$@" ;; esac
previous=
for word; do
  shift
  case $previous$word in
  -arch) previous=-arch && continue ;;
  -arch* | --target=* | -mmacosx-version-min=*) ;;
  # What is linked is stripped too: what did it afterwards would have to sign again.
  -Wl,-dead_strip) set -- "$@" "$word" -Wl,-S,-x ;;
  -Wl,--gc-sections) set -- "$@" "$word" -Wl,-s ;;
  *) set -- "$@" "$word" ;;
  esac
  previous=
done
case $ZIG_TARGET in
*macos*) set -- "-F$SDKROOT/System/Library/Frameworks" "-L$SDKROOT/usr/lib" "$@" ;;
esac
exec "$ZIG" cc -target "$ZIG_TARGET" -fno-sanitize=undefined "$@"
