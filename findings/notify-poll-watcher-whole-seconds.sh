#!/bin/bash
# The PollWatcher of the Rust crate notify 8.2.2 overlooks an edit within the second of
# the last one, and a file that gets an older time.
#
# Behaviour: by default it compares modification times, in whole seconds, and tells of
# a change only if the new time is later. So an edit that changes the size of a file
# but comes within the same second, and a file that is replaced by one with an older
# time (`git stash`, `cp -p`, `mv` of a backup, `tar x`), are no events. A later look
# does not tell either: the change is lost for good.
#
# Expected: an event for each, as the same crate gives with inotify. File systems keep
# nanoseconds, and a time that is another one says that something has changed.
#
# Seen:
#   a second later      event
#   within the second   none
#   an older time       none
#
# Needs cargo.
set -euo pipefail

command -v cargo >/dev/null || { echo 'cargo is missing'; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/probe/src"
cd "$tmp/probe"
cat >Cargo.toml <<'EOF'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
notify = { version = "=8.2.2", default-features = false }
EOF
cat >src/main.rs <<'EOF'
use notify::{Config, Event, PollWatcher, RecursiveMode, Watcher};
use std::fs::{self, File};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

/// A file with this content and this time, in milliseconds.
fn file(path: &Path, text: &str, millis: u64) {
    fs::write(path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn main() {
    let dir = std::env::current_dir().unwrap().join("watched");
    fs::create_dir(&dir).unwrap();
    let (sender, events) = channel::<notify::Result<Event>>();
    let config = Config::default().with_manual_polling();
    let mut watcher = PollWatcher::new(sender, config).unwrap();
    let (edited, last) = (dir.join("edited"), dir.join("last"));
    file(&edited, "a", 1_000_000_100);
    file(&last, "a", 1_000_000_000);
    watcher.watch(&dir, RecursiveMode::NonRecursive).unwrap();
    let cases = [
        ("a second later", "ab", 1_000_001_100),
        ("within the second", "abc", 1_000_001_900),
        ("an older time", "abcd", 900_000_000),
    ];
    for (round, (name, text, millis)) in cases.into_iter().enumerate() {
        file(&edited, text, millis);
        // Its event says that this look has ended.
        let new = dir.join(format!("new{round}"));
        file(&new, "", 1_000_000_000);
        watcher.poll().unwrap();
        let (mut told, mut done) = (false, false);
        while !done {
            let event = events.recv().unwrap().unwrap();
            told |= event.paths.contains(&edited);
            done |= event.paths.contains(&new);
        }
        // All events of one look are sent before the next.
        watcher.poll().unwrap();
        let other = dir.join(format!("other{round}"));
        file(&other, "", 1_000_000_000);
        watcher.poll().unwrap();
        loop {
            let event = events.recv().unwrap().unwrap();
            told |= event.paths.contains(&edited);
            if event.paths.contains(&other) {
                break;
            }
        }
        println!("{name}: {}", if told { "event" } else { "none" });
    }
}
EOF
cargo build --quiet || { echo 'notify 8.2.2 cannot be built'; exit 2; }
seen=$(cargo run --quiet)
wanted='a second later: event
within the second: none
an older time: none'
echo "$seen"
[ "$seen" = "$wanted" ] || { echo 'that is not what was seen'; exit 1; }
