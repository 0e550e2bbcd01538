#!/bin/bash
# The crate notify 8.2.2: its watcher for Linux is woken when a file is only opened.
#
# Behaviour: it asks inotify for IN_OPEN of each watched directory, and nothing in its
# configuration can leave that out. Who reads a watched tree, as a compiler does, has the
# watcher's thread wake for each file, and fills the queue of 16,384 events with it. A full
# queue is reported as a need to look at everything again.
#
# Expected: events of changes, since the crate is one for changes, and `Access` events are
# documented as something that backends may send. The closing of a file that was only read
# is told by none.
#
# Version 9.0.0-rc.7 can be told which events are wanted (`with_event_kinds`); all are
# by default.
#
# Seen, with 1,000 files that are opened for reading and closed:
#   8.2.2: 1000 events, 1000 of them Access(Open(Any))
#   9.0.0-rc.7, with EventKindMask::CORE: 0 events, 0 of them Access(Open(Any))
#
# Needs Linux, cargo and Rust 1.88 or later.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir src files
for number in $(seq 1000); do echo "$number" >"files/$number"; done
cat >src/main.rs <<'R'
use std::{fs::File, sync::mpsc::channel, thread::sleep, time::Duration};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

fn main() {
    let (sender, events) = channel::<notify::Result<Event>>();
    let mut watcher = RecommendedWatcher::new(sender, config()).unwrap();
    watcher.watch("files".as_ref(), RecursiveMode::NonRecursive).unwrap();
    for file in std::fs::read_dir("files").unwrap() {
        File::open(file.unwrap().path()).unwrap();
    }
    sleep(Duration::from_secs(2));
    // Of the directory itself, which was read for its names, there are events, too.
    let of_files = |event: &Event| event.paths.iter().all(|path| !path.ends_with("files"));
    let seen: Vec<Event> = events.try_iter().map(Result::unwrap).filter(of_files).collect();
    let opened = seen.iter().filter(|event| format!("{:?}", event.kind) == "Access(Open(Any))");
    println!("{} events, {} of them Access(Open(Any))", seen.len(), opened.count());
}
R
run() {
    printf '[package]\nname = "opens"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\nnotify = { version = "=%s", default-features = false }\n' "$1" >Cargo.toml
    echo "fn config() -> notify::Config { notify::Config::default()$2 }" >>src/main.rs
    cargo run --quiet
    sed -i '$d' src/main.rs
}
old=$(run 8.2.2 "")
new=$(run 9.0.0-rc.7 ".with_event_kinds(notify::EventKindMask::CORE)")
echo "8.2.2: $old; 9.0.0-rc.7: $new"
[ "$old" = "1000 events, 1000 of them Access(Open(Any))" ]
[ "$new" = "0 events, 0 of them Access(Open(Any))" ]
