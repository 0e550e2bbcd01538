#!/usr/bin/env python3
"""How a shared cache does with the history of a project, for so many builds a day.

    git clone --bare https://github.com/tektoncd/pipeline history
    (cd checkout && go list -deps -json=ImportPath,Imports,Module,Standard ./cmd/... ) >packages.json
    simulate.py history packages.json [DAYS]

Each build is of a commit of the main branch, by a machine that is born empty; its images
are of all programs. A program comes out the same if nothing in the directories of its packages
has changed; where the commit is stamped, only at the same commit. The costs are those that were measured with Tekton's 8 images (docs/design/0031-shared-caches-in-numbers.md).
"""

import collections
import json
import subprocess
import sys

MB = 1e6
COMPILE = 270.0 / 1612  # CPU seconds of a package, links left out
LINK = 4.0  # CPU seconds of a program: link and layer
OBJECT = 275 * MB / 1612  # bytes of a package in a pack
LAYER = 26 * MB  # bytes of a program's layer
RECORDS = 0.1 * MB  # bytes of a program's records
RATE = 1e9 / 8  # bytes in a second
ROUND_TRIP = 0.005  # seconds
ASKED = 4  # round trips of a program, one after the other
CHECK = 0.1  # CPU seconds to read and hash what a program was made of
KEPT = 32  # outcomes that a record has
AGE = 30  # days that pruning leaves
CORES = 2


def history(repository, days):
    """The commits of the main branch, the oldest first: day and changed directories."""
    text = subprocess.run(
        ["git", "--git-dir", repository, "log", "--first-parent", "-m", "--name-only",
         "--format=%x00%ct", f"-{days * 20}"],
        check=True, capture_output=True, text=True).stdout
    commits = []
    for part in text.split("\0")[1:]:
        lines = part.split("\n")
        changed = set()
        for name in lines[1:]:
            if name.endswith((".go", ".s", ".h", "go.mod")) and not name.endswith("_test.go"):
                changed.add(name.rpartition("/")[0])
        commits.append((int(lines[0]) / 86400, changed))
    commits.reverse()
    newest = commits[-1][0]
    return [(day - (newest - days), changed) for day, changed in commits if day > newest - days]


def graph(path):
    """Where each package is in the repository, what it imports, and what programs need."""
    text, decoder, at, packages = open(path).read(), json.JSONDecoder(), 0, []
    while text[at:].strip():
        package, end = decoder.raw_decode(text[at:].lstrip())
        at += len(text[at:]) - len(text[at:].lstrip()) + end
        packages.append(package)
    main = next(p["Module"]["Path"] for p in packages if p.get("Module", {}).get("Main"))
    place, needs, programs = {}, {}, {}
    for p in packages:  # what is imported comes first
        path = p["ImportPath"]
        if p.get("Standard"):
            place[path] = None
        elif path == main or path.startswith(main + "/"):
            place[path] = path[len(main) + 1:]
        else:
            place[path] = "vendor/" + path
        needs[path] = {path}.union(*(needs.get(i, set()) for i in p.get("Imports", [])))
        if path.startswith(main + "/cmd/") and path.count("/") == main.count("/") + 2:
            programs[path] = needs[path]
    return place, needs, programs


def simulate(commits, place, needs, programs, builds, stamped):
    """Builds so many times a day: what it cost, and how large the store became."""
    days = int(commits[-1][0]) + 1
    users = collections.defaultdict(set)  # who is compiled anew when a directory changes
    for path, all_needed in needs.items():
        for needed in all_needed:
            if place[needed] is not None:
                users[place[needed]].add(path)
    state = dict.fromkeys(place, 0)
    outcomes = {program: collections.OrderedDict() for program in programs}
    objects = {}  # of each package: state → when it was written
    store = collections.deque()  # (day, bytes), the oldest first
    size, total = 0.0, collections.Counter()
    queue, done = collections.deque(commits), 0
    for day in range(days):
        for number in range(builds):
            # Builds spread over the day; each is of the newest commit that is there.
            now = day + (number + 1) / builds
            while queue and queue[0][0] <= now:
                _, changed = queue.popleft()
                done += 1
                for directory in changed:
                    for path in users.get(directory, ()):
                        state[path] = done
            compiled, fetched, linked, missed = set(), 0.0, 0, []
            for program, needed in programs.items():
                key, kept = done if stamped else state[program], outcomes[program]
                if key in kept and kept[key] > now - AGE:
                    total["hits"] += 1
                    continue
                missed.append(program)
                for path in needed:
                    written = objects.get((path, state[path]))
                    if written is None or written <= now - AGE:
                        compiled.add(path)
                kept[key] = now
                kept.move_to_end(key)
                while len(kept) > KEPT:
                    kept.popitem(last=False)
            total["misses"] += len(missed)
            linked = len(missed)
            if missed:  # what is known of these comes from packs
                wanted = set().union(*(programs[program] for program in missed))
                fetched = len(wanted - compiled) * OBJECT
                written = len(compiled) * OBJECT + linked * (LAYER + RECORDS)
                for path in compiled:
                    objects[(path, state[path])] = now
                store.append((now, written))
                size += written
                total["written"] += written
            while store and store[0][0] < now - AGE:
                size -= store.popleft()[1]
            cpu = len(compiled) * COMPILE + linked * LINK + CHECK * len(programs)
            total["fetched"] += fetched
            total["seconds"] += cpu / CORES + fetched / RATE + ASKED * ROUND_TRIP
            total["cold"] += (len(place) * COMPILE + LINK * len(programs)) / CORES
            total["compiled"] += len(compiled)
            total["builds"] += 1
            total["largest"] = max(total["largest"], size)
    return total


def main():
    days = int(sys.argv[3]) if len(sys.argv) > 3 else 120
    commits = history(sys.argv[1], days)
    place, needs, programs = graph(sys.argv[2])
    print(f"{len(commits)} commits in {days} days, {len(programs)} programs, {len(place)} packages\n")
    print("| builds a day | stamped | programs found | packages compiled a build | seconds a build | without | "
          "fetched a build | written a day | the store at most | requests a second, mean |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for builds, stamped in ((1, False), (100, False), (10000, False), (1, True), (100, True), (10000, True)):
        total = simulate(commits, place, needs, programs, builds, stamped)
        count = total["builds"]
        print(f"| {builds:,} | {'yes' if stamped else 'no'} | {100 * total['hits'] / (total['hits'] + total['misses']):.1f} % "
              f"| {total['compiled'] / count:.1f} | {total['seconds'] / count:.2f} "
              f"| {total['cold'] / count:.0f} | {total['fetched'] / count / MB:.1f} MB "
              f"| {total['written'] / days / MB:.0f} MB | {total['largest'] / 1e9:.1f} GB "
              f"| {builds * len(programs) * 3 / 86400:.2f} |")


if __name__ == "__main__":
    main()
