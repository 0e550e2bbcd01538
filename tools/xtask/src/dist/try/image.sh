# Part of try.sh: the image of ko with Go inside, for each of the last two releases of Go.
# ko makes it of a base with Go and of its own binary, pushes it to a registry on loopback,
# and then, unpacked, builds an image in it.

# An image of a release of Go, as `golang:` has it: with a shell, git, and Go in its place.
go_image() {
  umoci init --layout "$dir/golang" || true
  umoci new --image "$dir/golang:$2"
  umoci config --image "$dir/golang:$2" --os linux --architecture amd64 --config.workingdir /src \
    --config.env PATH=/usr/local/go/bin:/usr/bin:/bin --config.env GOTOOLCHAIN=local
  umoci insert --image "$dir/golang:$2" "$dir/system" /
  mkdir -p "$dir/goroot/pkg"
  for part in VERSION go.env bin lib src pkg/include pkg/tool; do
    [ ! -e "$1/$part" ] || cp -r "$1/$part" "$dir/goroot/$part"
  done
  umoci insert --image "$dir/golang:$2" "$dir/goroot" /usr/local/go
  rm -rf "$dir/goroot"
  skopeo copy --dest-tls-verify=false "oci:$dir/golang:$2" "docker://$registry/golang:$2"
}

if command -v umoci >/dev/null && command -v skopeo >/dev/null &&
  command -v docker-registry >/dev/null && [ "$(id -u)" = 0 ]; then
  step "images of ko with Go inside, built by ko"
  mkdir -p "$dir/system/tmp" "$dir/system/usr/bin"
  cp "$(command -v bash)" "$(command -v git)" "$dir/system/usr/bin"
  ldd "$(command -v bash)" "$(command -v git)" "$binary" | grep -o '/[^ :]*\.so[^ ]*' | sort -u |
    while read -r library; do
      mkdir -p "$dir/system${library%/*}"
      cp -L "$library" "$dir/system$library"
    done
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  registry=127.0.0.1:$port
  cat >"$dir/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $dir/registry}}
http: {addr: "$registry"}
YAML
  mkfifo "$dir/started"
  docker-registry serve "$dir/registry.yml" >/dev/null 2>"$dir/started" &
  registry_process=$!
  trap '[ -z "$server" ] || kill "$server"; kill "$registry_process"; rm -rf "$dir"' EXIT
  exec 5<"$dir/started"
  while read -r line <&5; do
    case $line in *"listening on"*) break ;; esac
  done
  # A registry whose log nobody reads stands still.
  cat <&5 >/dev/null &
  for root in "${goroots[@]}"; do
    name=$(head -n 1 "$root/VERSION")
    go_image "$root" "$name" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
    KO_DOCKER_REPO=$registry/ko KO_DEFAULTBASEIMAGE=$registry/golang:$name \
      "$binary" build --bare --sbom=none --tags="$name" --prebuilt="linux/amd64=$binary" \
      example.com/ko >/dev/null 2>"$dir/log" || fail "$(cat "$dir/log")"
    skopeo copy --src-tls-verify=false "docker://$registry/ko:$name" "oci:$dir/made:$name" >"$dir/log"
    umoci unpack --image "$dir/made:$name" "$dir/$name" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
    cp -r examples/hello/. "$dir/$name/rootfs/src"
    # What an engine brings.
    mkdir -p "$dir/$name/rootfs/dev" "$dir/$name/rootfs/proc"
    mknod -m 666 "$dir/$name/rootfs/dev/null" c 1 3
    # shellcheck disable=SC2016
    unshare --mount bash -c 'mount --bind /proc "$1/rootfs/proc" && exec python3 - "$@"' \
      - "$dir/$name" "$registry/hello" build --bare . >"$dir/image" 2>"$dir/log" <<'PYTHON' || fail "$(cat "$dir/log")"
"""Runs an unpacked image as a container engine would: its entrypoint, with its variables."""
import json, os, sys

bundle, repository, *words = sys.argv[1:]
process = json.load(open(f"{bundle}/config.json"))["process"]
variables = dict(one.split("=", 1) for one in process["env"])
variables.update(HOME="/tmp", KO_DOCKER_REPO=repository, KO_DEFAULTBASEIMAGE="ko.static")
os.chroot(f"{bundle}/rootfs")
os.chdir(process["cwd"])
os.execve(process["args"][0], [*process["args"], *words], variables)
PYTHON
    skopeo copy --src-tls-verify=false "docker://$registry/hello" "oci:$dir/made:hello" >"$dir/log"
    umoci unpack --image "$dir/made:hello" "$dir/hello-$name" >"$dir/log" 2>&1 ||
      fail "$(cat "$dir/log")"
    said "$name" "$(go version "$dir/hello-$name/rootfs/ko-app/hello" | sed 's/.*: //')"
    said "Hello, world! This is linux/amd64." "$("$dir/hello-$name/rootfs/ko-app/hello")"
    rm -rf "$dir/$name" "$dir/hello-$name" "$dir/made"
  done
fi
