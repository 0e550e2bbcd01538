# Part of try.sh: how long it takes from nothing to the first image, with Go there, and
# Python or npm. Nothing is cached: neither by pip, npm or ko, nor by Go.

first_image() {
  rm -rf "$dir/fresh"
  mkdir -p "$dir/fresh/home"
  cp -r examples/hello "$dir/fresh/hello"
  local begun=$EPOCHREALTIME
  (
    export HOME=$dir/fresh/home
    cd "$dir/fresh"
    "$@" >"$dir/log" 2>&1
    cd hello
    export PATH=$dir/fresh/venv/bin:$dir/fresh/node_modules/.bin:$PATH
    GOCACHE=$dir/fresh/go-build KO_DOCKER_REPO=oci:$dir/fresh/images KO_DEFAULTBASEIMAGE=ko.static \
      GOENV=off GOTOOLCHAIN=local GOFLAGS=-mod=mod ko build --bare . >"$dir/fresh/image" 2>>"$dir/log"
  ) || fail "$(cat "$dir/log")"
  grep -q sha256: "$dir/fresh/image" || fail "there is no image"
  awk -v a="$begun" -v b="$EPOCHREALTIME" -v name="${1#with_}" \
    'BEGIN { printf "%s: %.1f s to the first image\n", name, b - a }'
}
with_pip() {
  python3 -m venv venv
  venv/bin/pip --quiet --disable-pip-version-check --no-cache-dir install --no-index \
    --find-links "$dir/one" "$1"
}
with_uv() {
  "$uv" venv --quiet venv
  "$uv" pip install --quiet --no-cache --python venv --no-index --find-links "$dir/one" "$1"
}
with_npm() {
  npm init --yes >/dev/null
  npm install --no-audit --no-fund --loglevel=error --cache cache \
    --registry "http://127.0.0.1:$port/" "$1"
}

step "from nothing to the first image"
first_image with_pip ko-build
uv=$PWD/target/tools/venv/bin/uv
[ ! -x "$uv" ] || first_image with_uv ko-build
first_image with_npm @ko-build/ko

step "what ko version costs beside the bare binary, in ms"
# Without certificates that a variable names: Node reads them at its start.
cat >"$dir/start.py" <<'PYTHON'
import os, statistics, subprocess, sys, time

os.environ.pop("NODE_EXTRA_CA_CERTS", None)
names = dict(word.split("=", 1) for word in sys.argv[1:])
taken = {name: [] for name in names}
for _ in range(31):
    for name, path in names.items():
        begun = time.perf_counter()
        subprocess.run([path, "version"], stdout=subprocess.DEVNULL, check=True)
        taken[name].append((time.perf_counter() - begun) * 1000)
bare, *others = (statistics.median(one) for one in taken.values())
print(", ".join(f"{name} {one - bare:+.1f}" for name, one in zip(list(names)[1:], others)))
PYTHON
(
  mkdir "$dir/start"
  cd "$dir/start"
  with_pip ko-build >"$dir/log" 2>&1
  with_npm @ko-build/ko >>"$dir/log" 2>&1
  cp node_modules/@ko-build/ko-linux-x64/bin/ko bare
  python3 "$dir/start.py" bare=./bare wheel=venv/bin/ko npm=node_modules/.bin/ko
)
