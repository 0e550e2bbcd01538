#!/usr/bin/env bash
# Installs each package that `cargo xtask dist` makes, and runs it:
#
#   tools/xtask/src/dist/try.sh BINARY [STATIC]
#
# takes a release binary of this machine, and may take a static one too. It needs Go,
# Python and npm, and the network for nothing; rpm, lintian, ruby, nix and mise are asked
# if they are here. Programs in Go stand in for the ko of other targets, whose packages
# are installed, but never run. Servers listen on loopback. What changes in the work tree
# meanwhile is noticed as a difference, since the provenance names its state.
set -euo pipefail
cd "$(dirname "$0")/../../../.."

binary=$(realpath "$1")
static=${2:+$(realpath "$2")}
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
version=$("$binary" version)
unset KO_BASE_URL PREFIX
# The last two releases of Go, looked up while HOME is still the user's.
goroots=("$(GOENV=off GOTOOLCHAIN=local go env GOROOT)" "$(GOENV=off GOTOOLCHAIN=go1.27.3 go env GOROOT)")

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

said() {
  [ "$2" = "$1" ] || fail "expected $1, and got $2"
}

# Succeeds if a command fails and says what is expected.
refuses() {
  local expected=$1
  shift
  if "$@" >"$dir/log" 2>&1; then fail "$* succeeded"; fi
  grep -q -- "$expected" "$dir/log" || fail "$* did not say '$expected': $(cat "$dir/log")"
}

step() {
  echo "== $*"
}

step "programs that stand in for other targets"
mkdir "$dir/go"
cat >"$dir/go/main.go" <<'GO'
package main

func main() { println("not ko") }
GO
stand_in() {
  (cd "$dir/go" && CGO_ENABLED=0 GOOS=$2 GOARCH=$3 GOENV=off GOTOOLCHAIN=local \
    go build -trimpath -o "$dir/$1" main.go)
}
stand_in x86_64-unknown-linux-musl linux amd64
stand_in aarch64-unknown-linux-musl linux arm64
stand_in x86_64-apple-darwin darwin amd64
stand_in aarch64-apple-darwin darwin arm64
stand_in x86_64-pc-windows-msvc windows amd64

step "two runs make equal bytes, and a run removes what an earlier one made"
host=x86_64-unknown-linux-gnu
others=()
for target in aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin \
  x86_64-pc-windows-msvc; do
  others+=(--binary "$target=$dir/$target")
done
cargo xtask dist --out "$dir/one" --binary "$host=$binary" "${others[@]}" >"$dir/log"
said "left out, as there is no binary: Linux_x86_64, Linux_arm64_gnu, Windows_arm64" \
  "$(tail -2 "$dir/log" | head -1)"
said "left out, as there is no --repository: what package managers read" "$(tail -1 "$dir/log")"
cargo xtask dist --out "$dir/two" --binary "$host=$binary" --binary "x86_64-unknown-linux-musl=$binary" \
  2>"$dir/log" && fail "a binary with a C library passed as static"
grep -q "so it is not static" "$dir/log" || fail "$(cat "$dir/log")"
cargo xtask dist --out "$dir/two" --binary "$host=$binary" \
  --binary "x86_64-pc-windows-gnu=$dir/x86_64-pc-windows-msvc" >/dev/null
cargo xtask dist --out "$dir/two" "${others[@]}" --binary "$host=$binary" >/dev/null
diff -r "$dir/one" "$dir/two"
(cd "$dir/one" && sha256sum --quiet --check checksums.txt)

step "SBOMs"
for sbom in "$dir"/one/*.spdx.json; do
  # A tool of the tests, if they are set up here.
  [ ! -x target/tools/venv/bin/pyspdxtools ] || target/tools/venv/bin/pyspdxtools --infile "$sbom"
done

step "provenance, which cosign signs and verifies"
cosign=$(realpath target/tools/cosign)
if [ -x "$cosign" ]; then
  mkdir "$dir/signed"
  (
    cd "$dir/signed"
    export COSIGN_PASSWORD=
    "$cosign" generate-key-pair 2>/dev/null
    grep '"name":"install.sh"' "$dir/one/provenance.intoto.jsonl" >statement.json
    "$cosign" attest-blob --yes --key cosign.key --statement statement.json --bundle bundle.json \
      --use-signing-config=false --tlog-upload=false "$dir/one/install.sh" >/dev/null 2>"$dir/log" ||
      fail "$(cat "$dir/log")"
    verify() {
      "$cosign" verify-blob-attestation --key cosign.pub --bundle bundle.json \
        --insecure-ignore-tlog --type slsaprovenance1 "$1"
    }
    verify "$dir/one/install.sh" >/dev/null 2>"$dir/log" || fail "$(cat "$dir/log")"
    refuses "do not match digests" verify "$dir/one/checksums.txt"
  )
fi

step "archives"
tar -tvzf "$dir/one/ko_${version}_Linux_x86_64_gnu.tar.gz" >"$dir/log"
grep -q -- '-rwxr-xr-x 0/0 .* ko$' "$dir/log" || fail "$(cat "$dir/log")"
python3 -m zipfile -t "$dir/one/ko_${version}_Windows_x86_64.zip" >/dev/null
if command -v unzip >/dev/null; then unzip -tq "$dir/one/ko_${version}_Windows_x86_64.zip" >/dev/null; fi

step "install.sh"
# rustup and cargo, which run again below, stay those of the user.
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export HOME=$dir/home
mkdir "$HOME"
for sh in sh "busybox sh" "bash --posix"; do
  command -v "${sh%% *}" >/dev/null || continue
  rm -rf "$HOME/.local"
  said "installed ko $version as $HOME/.local/bin/ko" "$($sh "$dir/one/install.sh" \
    "$dir/one/ko_${version}_Linux_x86_64_gnu.tar.gz" | sed -n 1p)"
  said "$version" "$("$HOME/.local/bin/ko" version)"
done
for file in man/man1/ko-build.1 bash-completion/completions/ko zsh/site-functions/_ko \
  fish/vendor_completions.d/ko.fish; do
  [ -s "$HOME/.local/share/$file" ] || fail "$file is not installed"
done
KO_BASE_URL=file://$dir/one PREFIX=$dir/prefix sh "$dir/one/install.sh" >/dev/null
said "$version" "$("$dir/prefix/bin/ko" version)"
mkdir "$dir/old" "$dir/bad"
printf '#!/bin/sh\necho 0.19.1\n' >"$dir/old/ko"
chmod +x "$dir/old/ko"
said "PATH has another ko first: $dir/old/ko (0.19.1)" "$(PATH="$dir/old:$PATH" \
  PREFIX=$dir/prefix KO_BASE_URL=file://$dir/one sh "$dir/one/install.sh" | tail -1)"
said "PATH lacks $dir/prefix/bin: add it" "$(PATH=/usr/bin:/bin \
  PREFIX=$dir/prefix KO_BASE_URL=file://$dir/one sh "$dir/one/install.sh" | tail -1)"
cp "$dir"/one/ko_*Linux* "$dir/one/checksums.txt" "$dir/bad"
printf x >>"$dir/bad/ko_${version}_Linux_x86_64_gnu.tar.gz"
rm -rf "$dir/prefix"
export KO_BASE_URL=file://$dir/bad PREFIX=$dir/prefix
refuses "is damaged" sh "$dir/one/install.sh"
refuses "is damaged" sh "$dir/one/install.sh" "$dir/bad/ko_${version}_Linux_x86_64_gnu.tar.gz"
refuses "ko is neither ko_" sh "$dir/one/install.sh" "$dir/old/ko"
refuses "neither ko_" sh "$dir/one/install.sh" "$dir/one/ko_${version}_Darwin_arm64.tar.gz"
KO_BASE_URL=file://$dir/nowhere refuses "cannot be downloaded" sh "$dir/one/install.sh"
KO_BASE_URL='' refuses "set KO_BASE_URL" sh "$dir/one/install.sh"
cat >"$dir/old/uname" <<'SH'
#!/bin/sh
case $1 in -s) echo Plan9 ;; -m) echo mips ;; esac
SH
chmod +x "$dir/old/uname"
PATH="$dir/old:$PATH" refuses "there is no ko $version for Plan9_mips" sh "$dir/one/install.sh"
[ ! -e "$dir/prefix" ] || fail "a refused archive was installed"
unset KO_BASE_URL PREFIX

step "wheels"
python3 -m venv "$dir/venv"
pip() {
  "$dir/venv/bin/pip" --quiet --disable-pip-version-check --no-cache-dir "$@"
}
pip install --no-index --find-links "$dir/one" ko-build
said "$version" "$("$dir/venv/bin/ko" version)"
# pip compares the installed files with RECORD when it shows or removes them.
"$dir/venv/bin/pip" show --files ko-build >"$dir/log"
grep -q bin/ko "$dir/log" || fail "RECORD lacks the binary"
pip uninstall --yes ko-build
[ ! -e "$dir/venv/bin/ko" ] || fail "pip left ko behind"
foreign() {
  rm -rf "$dir/foreign"
  pip download --no-index --find-links "${3:-$dir/one}" --only-binary :all: --no-deps \
    --dest "$dir/foreign" --platform "$1" ko-build
  said "$2" "$(ls "$dir/foreign")"
}
stem=ko_build-$version-py3-none
arm=$stem-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl
foreign manylinux_2_17_aarch64 "$arm"
foreign manylinux2014_aarch64 "$arm"
foreign musllinux_1_1_aarch64 "$arm"
# A newer macOS than the one that Go asks for.
foreign macosx_27_0_arm64 "$(cd "$dir/one" && echo *macosx_*_arm64.whl)"
foreign win_amd64 "$stem-win_amd64.whl"
refuses "No matching distribution" "$dir/venv/bin/pip" download --no-index \
  --find-links "$dir/one" --only-binary :all: --dest "$dir/foreign" \
  --platform manylinux_2_17_x86_64 ko-build

step "npm"
unset npm_config_registry
export npm_config_update_notifier=false
cat >"$dir/registry.py" <<'PYTHON'
"""A registry of the packages in a directory, as npm asks it."""
import base64, hashlib, http.server, io, json, pathlib, sys, tarfile, urllib.parse

out, ready = map(pathlib.Path, sys.argv[1:])
packages = {}
for path in out.glob("*.tgz"):
    data = path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        about = json.load(archive.extractfile("package/package.json"))
    packages[about["name"]] = (about, path.name, data)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = urllib.parse.unquote(self.path).lstrip("/")
        files = {file: data for _, file, data in packages.values()}
        if name in files:
            return self.answer(files[name])
        if name not in packages:
            return self.send_error(404)
        about, file, data = packages[name]
        url = f"http://127.0.0.1:{self.server.server_port}/{file}"
        sum = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        one = {**about, "dist": {"tarball": url, "integrity": sum}}
        versions = {about["version"]: one}
        tags = {"latest": about["version"]}
        self.answer(json.dumps({"name": name, "dist-tags": tags, "versions": versions}).encode())

    def answer(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
ready.write_text(str(server.server_port))
server.serve_forever()
PYTHON
mkfifo "$dir/ready"
python3 "$dir/registry.py" "$dir/one" "$dir/ready" &
server=$!
port=$(cat "$dir/ready")
install() {
  mkdir "$dir/$1"
  (cd "$dir/$1" && npm init --yes >/dev/null && npm install --ignore-scripts --no-audit \
    --no-fund --loglevel=error --cache "$dir/cache" --registry "http://127.0.0.1:$port/" \
    "${@:2}" @ko-build/ko >/dev/null)
}
install npm
said "ko ko-linux-x64" "$(cd "$dir/npm/node_modules/@ko-build" && echo *)"
ko=$dir/npm/node_modules/.bin/ko
said "$version" "$($ko version)"
install mac --os=darwin --cpu=arm64
said "ko ko-darwin-arm64" "$(cd "$dir/mac/node_modules/@ko-build" && echo *)"
refuses "@ko-build/ko-linux-x64 is not installed" "$dir/mac/node_modules/.bin/ko" version
install musl --libc=musl --os=linux --cpu=x64
said "ko" "$(cd "$dir/musl/node_modules/@ko-build" && echo *)"

step "the shim of Node $(node --version) passes on exit codes, streams and signals"
refuses 'unknown command "nonsense"' "$ko" nonsense
program=$dir/npm/node_modules/@ko-build/ko-linux-x64/bin/ko
cat >"$program" <<'PYTHON'
#!/usr/bin/env python3
import os, signal, sys

match sys.argv[1:]:
    case ["exit", code]:
        sys.exit(int(code))
    case ["copy"]:
        sys.stdout.write(sys.stdin.read())
        sys.stderr.write("to stderr\n")
    case ["words", *words]:
        print(words)
    case ["wait"]:
        awaited = {signal.SIGTERM: 7, signal.SIGINT: 8}
        signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        print("ready", flush=True)
        sys.exit(awaited[signal.sigwait(awaited)])
    case ["die", name]:
        os.kill(os.getpid(), signal.Signals[name])
    case ["flood"]:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            print("yes")
PYTHON
said "5" "$("$ko" exit 5 || echo $?)"
said "in" "$(echo in | "$ko" copy 2>"$dir/stderr")"
said "to stderr" "$(cat "$dir/stderr")"
said "['a b', '', '*']" "$("$ko" words 'a b' '' '*')"
said "137" "$( ("$ko" die SIGKILL || echo $?) 2>/dev/null)"
said "143" "$( ("$ko" die SIGTERM || echo $?) 2>/dev/null)"
said "141" "$(set +o pipefail; ("$ko" flood 2>/dev/null; echo $? >"$dir/code") | head -1 >/dev/null; cat "$dir/code")"
# Started by Python, as what a shell starts in the background ignores SIGINT.
python3 - "$ko" <<'PYTHON'
import os, pty, signal, subprocess, sys

# Ctrl-C at a terminal.
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], [sys.argv[1], "wait"])
shown = b""
while b"ready" not in shown:
    shown += os.read(terminal, 100)
os.write(terminal, b"\x03")
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert code == 8, code

for number, expected in [(signal.SIGTERM, 7), (signal.SIGINT, 8)]:
    child = subprocess.Popen(
        [sys.argv[1], "wait"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(number)
    code = child.wait()
    assert code == expected, (number, code)
PYTHON

for part in tools/xtask/src/dist/try/*.sh; do . "$part"; done

echo "all packages install and run"
