#!/usr/bin/env python3
"""Measures what is in images beside one program: several programs, files, prebuilt binaries.

    python3 tools/bench/image.py --ko KO --ours OURS --crane CRANE [--only NAME] [--turns 5]

`--ko` is ko 0.19.1. It needs Debian's docker-registry, podman and root. Contenders take
turns; the ratio is that of the medians of one run.
"""

import argparse
import contextlib
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

MAIN = """package main

import (
	_ "embed"
	"net/http"
)

//go:embed data.bin
var data string

var edit = "0"

func main() { println(len(data), edit); http.ListenAndServe("127.0.0.1:0", nil) }
"""
PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"]


class Bench:
    def __init__(self, options, root):
        self.options, self.root = options, root
        self.work = root / "work"
        self.work.mkdir()
        self.env = {
            "HOME": str(root / "home"), "PATH": os.environ["PATH"], "TMPDIR": str(root / "tmp"),
            "GOCACHE": str(root / "gocache"), "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod",
            "GOTOOLCHAIN": "local", "KOCACHE": str(root / "kocache"),
        }
        for name in ["home", "tmp"]:
            (root / name).mkdir()
        self.write("go.mod", "module example.com/app\n\ngo 1.23\n")
        self.random = random.Random(1)

    def write(self, name, text):
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def program(self, name):
        self.write(f"{name}/main.go", MAIN)
        # Machine code, so that it is compressed as a program is.
        tools = self.run(["go", "env", "GOTOOLDIR"])
        code = pathlib.Path(tools, "compile").read_bytes()
        at = self.random.randrange(len(code) - 9_000_000)
        self.write(f"{name}/data.bin", code[at:at + 9_000_000])

    def edit(self, name, number):
        self.write(f"{name}/main.go", MAIN.replace('"0"', f'"{number}"'))

    def run(self, words, **variables):
        env = self.env | {name: str(value) for name, value in variables.items()}
        done = subprocess.run(words, cwd=self.work, env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{words}: {done.stderr}")
        return done.stdout.strip()

    def timed(self, words, **variables):
        began = time.monotonic()
        self.run(words, **variables)
        return time.monotonic() - began

    def compare(self, name, least, theirs, ours):
        """Each is called with the number of the turn, and gives seconds."""
        times = [[], []]
        for turn in range(self.options.turns + 1):
            for side, call in zip(times, [theirs, ours]):
                side.append(call(turn))
        # The first turn warms up.
        rows = [sorted(side[1:]) for side in times]
        one, other = map(statistics.median, rows)
        ratios = sorted(a / b for a, b in zip(times[0][1:], times[1][1:]))
        print(f"{name}: {one:.3f} s / {other:.3f} s = {one / other:.1f} "
              f"({ratios[0]:.1f} to {ratios[-1]:.1f}), must be {least}", flush=True)


@contextlib.contextmanager
def registry(root):
    port = 5000 + os.getpid() % 1000
    config = root / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {root}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n")
    server = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/").read()
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit("docker-registry does not start")
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def several(bench, host):
    """Five programs in one image, one edited."""
    names = [f"app{number}" for number in range(5)]
    for name in names:
        bench.program(name)
    mains = ", ".join(f"./{name}" for name in names[1:])
    bench.write(".ko.yaml", f"builds: [{{main: ./app0, image: {{mains: [{mains}]}}}}]\n")
    lines = "".join(f"COPY {name} /ko-app/{name}\n" for name in names)
    bench.write("image/Dockerfile", f"FROM scratch\n{lines}ENTRYPOINT [\"/ko-app/app0\"]\n")
    podman = ["podman", f"--root={bench.root}/podman", f"--runroot={bench.root}/run",
              f"--tmpdir={bench.root}/podman-tmp", "--storage-driver=overlay", "--cgroup-manager=cgroupfs"]
    script = " && ".join([
        *(f"go build -trimpath -o image/{name} ./{name}" for name in names),
        " ".join([*podman, "build", "--layers", "-q", "-t", f"{host}/theirs", "image"]),
        " ".join([*podman, "push", "-q", "--tls-verify=false", f"{host}/theirs"]),
    ])

    def theirs(turn):
        # The last line: what is above comes out of the cache.
        bench.edit("app4", f"theirs{turn}")
        return bench.timed(["sh", "-c", script])

    def ours(turn):
        bench.edit("app4", f"ours{turn}")
        return bench.timed([bench.options.ours, "build", "--bare", "--sbom=none", "--base=scratch", "./app0"],
                           KO_DOCKER_REPO=f"{host}/ours")

    bench.compare("five programs, one edited: go build, podman build, podman push / ours", ">= 3", theirs, ours)
    shutil.rmtree(bench.work / "image")
    os.remove(bench.work / ".ko.yaml")


def files(bench, host):
    """200 MB in 10,000 files, unchanged: `files`, and ko with the same in kodata."""
    for dir, program in [("theirs/kodata", "theirs"), ("files", "web")]:
        bench.write(f"{program}/main.go", "package main\n\nfunc main() {}\n")
        for number in range(10_000):
            bench.write(f"{dir}/{number // 100}/{number}", bench.random.randbytes(20_000))
    bench.write("ours.yaml", "defaultImage: {files: [{src: files, dst: /srv}]}\n")
    words = ["build", "--bare", "--sbom=none", f"--base={host}/base"]
    theirs = lambda _: bench.timed([bench.options.ko, "build", "--bare", "--sbom=none", "./theirs"],
                                   KO_DOCKER_REPO=f"{host}/kodata", KO_DEFAULTBASEIMAGE=f"{host}/base",
                                   KOCACHE=bench.root / "theirs")
    ours = lambda _: bench.timed([bench.options.ours, *words, "./web"], KO_DOCKER_REPO=f"{host}/files",
                                 KO_CONFIG_PATH="ours.yaml")
    bench.compare("200 MB in 10,000 files, unchanged: ko with kodata / ours with files", ">= 65", theirs, ours)


def prebuilt(bench, host):
    """Binaries of four platforms: `crane append` for each, and an index; ours."""
    bench.program("app")
    dist = bench.work / "dist"

    def build(platform, number):
        os_, arch, *variant = platform.split("/")
        path = dist / platform.replace("/", "_") / "ko-app" / "app"
        bench.run(["go", "build", "-trimpath", f"-ldflags=-X main.edit={number}", "-o", path, "./app"],
                  GOOS=os_, GOARCH=arch, GOARM="".join(variant).removeprefix("v"))
        return path

    paths = {platform: build(platform, 0) for platform in PLATFORMS}
    crane = bench.options.crane
    appends = [
        f"{{ tar -C {path.parent.parent} -cf {path.parent.parent}.tar ko-app && "
        f"{crane} append -b {host}/base --platform {platform} -f {path.parent.parent}.tar "
        f"-t {host}/crane:{platform.replace('/', '-')}; }}"
        for platform, path in paths.items()
    ]
    index = f"{crane} index append -t {host}/crane " + " ".join(
        f"-m {host}/crane:{platform.replace('/', '-')}" for platform in PLATFORMS)
    script = " && ".join([*appends, index])
    given = ",".join(f"{platform}={path}" for platform, path in paths.items())
    theirs = lambda: bench.timed(["sh", "-c", script])
    ours = lambda: bench.timed(
        [bench.options.ours, "build", "--bare", f"--base={host}/base", f"--prebuilt={given}", "./app"],
        KO_DOCKER_REPO=f"{host}/ours-prebuilt")
    bench.compare("four prebuilt binaries, unchanged: crane / ours", ">= 10", lambda _: theirs(), lambda _: ours())

    def changed(measure, who):
        def turn(number):
            for platform in PLATFORMS:
                build(platform, f"{who}{number}")
            return measure()
        return turn

    bench.compare("four prebuilt binaries, changed: crane / ours", ">= 3", changed(theirs, "a"), changed(ours, "b"))


def base(bench, host):
    """A base for all platforms, which crane makes."""
    bench.write("empty/etc/base", "a base\n")
    bench.run(["tar", "-C", "empty", "-cf", "empty.tar", "etc"])
    tags = []
    for platform in PLATFORMS:
        os_, arch, *variant = platform.split("/")
        tag = f"{host}/base:{platform.replace('/', '-')}"
        bench.run([bench.options.crane, "append", "-f", "empty.tar", "-t", tag])
        bench.run([bench.options.crane, "mutate", "--set-platform", platform, "-t", tag, tag])
        tags += ["-m", tag]
    bench.run([bench.options.crane, "index", "append", "-t", f"{host}/base", *tags])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["--ko", "--ours", "--crane"]:
        parser.add_argument(name, required=True, type=os.path.abspath)
    parser.add_argument("--only", default="")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-image-") as dir:
        root = pathlib.Path(dir)
        with registry(root) as host:
            bench = Bench(options, root)
            base(bench, host)
            for scenario in [several, prebuilt, files]:
                if options.only in scenario.__name__:
                    scenario(bench, host)


main()
