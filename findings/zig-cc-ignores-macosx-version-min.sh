#!/bin/bash
# zig cc 0.17.1 accepts -mmacosx-version-min and ignores it: the program needs macOS 15.
#
# Behaviour: build systems tell a C compiler the oldest macOS by -mmacosx-version-min or
# by MACOSX_DEPLOYMENT_TARGET. With `zig cc -target aarch64-macos`, both have no effect,
# and there is no warning: LC_BUILD_VERSION names zig's own default, 15.0, so older systems
# refuse the program. Only the version in zig's target, as in `aarch64-macos.11.0`, counts.
#
# Expected: 11.0 for all three, as clang gives, or an error. zig does refuse other words of
# clang that it does not understand, such as `-target arm64-apple-macosx11.0`.
#
# Seen (the oldest macOS that the program names):
#   -mmacosx-version-min=11.0       15.0
#   MACOSX_DEPLOYMENT_TARGET=11.0   15.0
#   -target aarch64-macos.11.0      11.0
#   -target arm64-apple-macosx11.0  refused
#
# Needs python3 with venv.
set -euo pipefail

command -v python3 >/dev/null || { echo 'python3 is missing'; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv venv || { echo 'python3 has no venv'; exit 2; }
venv/bin/pip install --quiet ziglang==0.17.1 || { echo 'ziglang 0.17.1 cannot be had'; exit 2; }
export ZIG_GLOBAL_CACHE_DIR=$tmp/cache ZIG_LOCAL_CACHE_DIR=$tmp/cache
echo 'int main(void) { return 0; }' >main.c

# The oldest macOS of the program that zig makes with these words.
oldest() {
  rm -f main
  venv/bin/python -m ziglang cc "$@" main.c -o main 2>err || { echo refused; return; }
  [ ! -s err ] || { echo "warned: $(cat err)"; return; }
  venv/bin/python - <<'PY'
import struct

data = open("main", "rb").read()
count, place = struct.unpack_from("<I", data, 16)[0], 32
for _ in range(count):
    command, size = struct.unpack_from("<II", data, place)
    if command == 0x32:  # LC_BUILD_VERSION
        version = struct.unpack_from("<I", data, place + 12)[0]
        print(f"{version >> 16}.{version >> 8 & 0xff}")
    place += size
PY
}

seen="-mmacosx-version-min=11.0: $(oldest -target aarch64-macos -mmacosx-version-min=11.0)
MACOSX_DEPLOYMENT_TARGET=11.0: $(MACOSX_DEPLOYMENT_TARGET=11.0 oldest -target aarch64-macos)
-target aarch64-macos.11.0: $(oldest -target aarch64-macos.11.0)
-target arm64-apple-macosx11.0: $(oldest -target arm64-apple-macosx11.0)"
wanted='-mmacosx-version-min=11.0: 15.0
MACOSX_DEPLOYMENT_TARGET=11.0: 15.0
-target aarch64-macos.11.0: 11.0
-target arm64-apple-macosx11.0: refused'
echo "$seen"
[ "$seen" = "$wanted" ] || { echo 'that is not what was seen'; exit 1; }
