//! What goes wrong between two steps: ours is killed, its cache is damaged,
//! the disk is full, another build runs at the same time, the clock is wrong.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::change::pause;
use crate::contender::{Contender, Ran};
use crate::report::Report;
use crate::workspace::{Toolchain, Workspace};
use toolkit::{Error, Result, step};

/// One of so many steps goes well.
const WELL: usize = 3;

/// So many names in a row may be taken.
const LEFT_BEHIND: usize = 100;

/// Lets something go wrong. What is returned are builds that ended all the same.
type Fault = fn(&mut Workspace, &Contender, &Toolchain) -> Result<Vec<Ran>>;

const ALL: [(&str, Fault); 11] = [
    ("killed, go goes on", |w, ours, go| killed(w, ours, go, "")),
    ("killed with all that it started", |w, ours, go| killed(w, ours, go, "-")),
    ("a file cut off", |w, _, _| damage(w, Vec::truncate)),
    ("a bit flipped", |w, _, _| damage(w, FLIP)),
    ("a record's bit flipped", |w, _, _| damage_below(w, "v1/records", FLIP)),
    ("a bit flipped by the disk", rotten),
    ("an output's bit flipped", |w, _, _| damage_below(w, "v1/bin", FLIP)),
    ("a part deleted", deleted),
    ("two at once", |w, ours, go| {
        let first = ours.start(w, go)?;
        let second = ours.start(w, go)?;
        let wait = |child: std::process::Child| {
            let output = child.wait_with_output();
            let started = |source| Error::Start { command: "ko".to_owned(), source };
            ours.outcome(&output.map_err(started)?)
        };
        let first = wait(first)?;
        Ok(vec![first, wait(second)?])
    }),
    ("a full disk", full),
    ("a clock that is behind, then ahead", wrong_clock),
];

/// Lets something go wrong, or not. What is returned must be what the oracle
/// will come to, or have failed.
pub(crate) fn before(
    workspace: &mut Workspace,
    ours: &Contender,
    toolchain: &Toolchain,
    report: &mut Report,
) -> Result<Vec<Ran>> {
    if workspace.rng.usize(..WELL) == 0 {
        return Ok(Vec::new());
    }
    let (name, fault) = ALL[workspace.rng.usize(..ALL.len())];
    *report.faults.entry(name).or_default() += 1;
    fault(workspace, ours, toolchain)
}

/// A day behind, or a day ahead. `faketime` names what it shares with its children by its
/// process's number, and gives up where one that was killed has left that name: the next
/// one has another number.
fn wrong_clock(w: &mut Workspace, ours: &Contender, go: &Toolchain) -> Result<Vec<Ran>> {
    let days = ["-1d", "+1d"][w.rng.usize(..2)];
    let variables = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
    let lying = ["env", variables[0], variables[1], "faketime", "-f", days];
    let lying = lying.map(str::to_owned);
    let mut ran = ours.build(w, go, &lying)?;
    for _ in 0..LEFT_BEHIND {
        if !ran.stderr.starts_with("faketime: ") {
            break;
        }
        ran = ours.build(w, go, &lying)?;
    }
    Ok(vec![ran])
}

/// At any moment; alone, or with its process group.
fn killed(w: &mut Workspace, ours: &Contender, go: &Toolchain, group: &str) -> Result<Vec<Ran>> {
    let child = ours.start(w, go)?;
    pause(w);
    let whom = format!("{group}{}", child.id());
    // It may have ended before.
    step::output(Command::new("kill").args(["-KILL", "--", &whom]))?;
    let end = child.wait_with_output();
    end.map_err(|source| Error::Start { command: "ko".to_owned(), source })?;
    Ok(Vec::new())
}

/// Damages content at a place.
type Damage = fn(&mut Vec<u8>, usize);

const FLIP: Damage = |bytes, at| {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << (at % 8);
    }
};

fn damage(w: &mut Workspace, how: Damage) -> Result<Vec<Ran>> {
    damage_below(w, ".", how)
}

fn damage_below(w: &mut Workspace, below: &str, how: Damage) -> Result<Vec<Ran>> {
    damage_file(w, below, how)?;
    Ok(Vec::new())
}

/// Without a trace in the time of modification.
fn rotten(w: &mut Workspace, _: &Contender, _: &Toolchain) -> Result<Vec<Ran>> {
    if let Some((path, modified)) = damage_file(w, ".", FLIP)? {
        let file = File::options().write(true).open(&path);
        let done = file.and_then(|file| file.set_modified(modified));
        done.map_err(|source| Error::File { path, source })?;
    }
    Ok(Vec::new())
}

/// Damages a file of the cache in place; the file, and when it was modified
/// before.
fn damage_file(
    w: &mut Workspace,
    below: &str,
    how: Damage,
) -> Result<Option<(PathBuf, SystemTime)>> {
    let mut files = Vec::new();
    list(&w.root().join("kocache").join(below), &mut files);
    if files.is_empty() {
        return Ok(None);
    }
    let path = files.swap_remove(w.rng.usize(..files.len()));
    let failed = |source| Error::File { path: path.clone(), source };
    let modified = path.metadata().and_then(|found| found.modified()).map_err(failed)?;
    let mut bytes = fs::read(&path).map_err(failed)?;
    let at = w.rng.usize(..bytes.len().max(1));
    how(&mut bytes, at);
    fs::write(&path, bytes).map_err(failed)?;
    Ok(Some((path, modified)))
}

/// The files below a directory, in a fixed order.
fn list(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

fn deleted(w: &mut Workspace, _: &Contender, _: &Toolchain) -> Result<Vec<Ran>> {
    let parts =
        ["", "v1", "v1/bin", "v1/blobs", "v1/records", "v1/records/layer", "v1/records/build"];
    let part = parts[w.rng.usize(..parts.len())];
    w.run("rm", &["-rf", &w.root().join("kocache").join(part).display().to_string()])?;
    Ok(Vec::new())
}

/// A cache of its own on a disk that is too small, or just not; twice.
fn full(w: &mut Workspace, ours: &Contender, go: &Toolchain) -> Result<Vec<Ran>> {
    let dir = w.root().join("small");
    w.make_dir(&dir)?;
    let size = format!("size={}k", [16, 600, 2000, 2600, 4000, 6000][w.rng.usize(..6)]);
    let mut mount = Command::new("mount");
    step::output(mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&dir))?;
    let cache = ["env".to_owned(), format!("KOCACHE={}", dir.display())];
    let first = ours.build(w, go, &cache);
    let second = ours.build(w, go, &cache);
    step::output(Command::new("umount").arg(&dir))?;
    Ok(vec![first?, second?])
}
